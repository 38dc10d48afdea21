import ByteStorage
import Glibc
package import ModelFiles

/// Reads streamed weights ahead of the pass that uses them and drops them behind it, on threads of its own. Without it a pass still gets every
/// byte, by page faults: this decides when pages come and go, never what they hold.
///
/// *Threads*: one pass at a time calls `reached` and `finishedPass`, from any thread.
package final class WeightStream: @unchecked Sendable {  // Safe: `shared` is guarded by its mutex; the handles do not change after init.
    package let plan: ResidencyPlan
    private let shared: Shared
    private var handles: [pthread_t] = []

    /// One thread waits for the disk while the other maps what has come.
    private static let threads = 2

    package init(plan: ResidencyPlan, units: [Range<Int>], reader: ModelFileReader) {
        self.plan = plan
        // Huge pages: a twentieth of the processor time per byte read, mapped and dropped, where the file system has them.
        reader.mapping.preferHugePages()
        shared = Shared(
            steps: WeightSteps(units: units, plan: plan, pageBytes: Int(sysconf(Int32(_SC_PAGESIZE)))).steps, units: units.count,
            window: plan.windowBytes, reader: reader)
        for _ in 0..<Self.threads {
            var handle = pthread_t()
            let context = Unmanaged.passRetained(shared)
            let code = pthread_create(
                &handle, nil,
                { context in
                    Unmanaged<Shared>.fromOpaque(context!).takeRetainedValue().work()
                    return nil
                }, context.toOpaque())
            guard code == 0 else {
                // Page faults do the reading then.
                context.release()
                break
            }
            handles.append(handle)
        }
    }

    deinit {
        shared.stop()
        for handle in handles { pthread_join(handle, nil) }
    }

    /// All units before `unit` are computed in this pass, by all threads; the output head is the last unit.
    package func reached(unit: Int) { shared.reached(unit) }

    /// The pass needs no weights any more.
    package func finishedPass() { shared.finishedPass() }

    /// Bytes of streamed units that were read so far.
    package var streamed: Int { shared.streamed }

    private final class Shared: @unchecked Sendable {  // Safe: what changes is used with the mutex locked.
        private let steps: [WeightSteps.Step]
        private let units: Int
        private let window: Int
        private let reader: ModelFileReader
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private var isStopping = false
        /// Steps and units are counted on from pass to pass.
        private var passBase = 0
        private var completedUnits = 0
        private var nextRead = 0
        private var nextDrop = 0
        /// Bytes of streamed steps that are read and not dropped.
        private var held = 0
        private var streamedBytes = 0

        init(steps: [WeightSteps.Step], units: Int, window: Int, reader: ModelFileReader) {
            (self.steps, self.units, self.window, self.reader) = (steps, units, window, reader)
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(changed, nil)
        }

        deinit {
            pthread_cond_destroy(changed)
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
            changed.deallocate()
        }

        private func locked<Result>(_ body: () -> Result) -> Result {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return body()
        }

        var streamed: Int { locked { streamedBytes } }

        func stop() {
            locked {
                isStopping = true
                pthread_cond_broadcast(changed)
            }
        }

        func reached(_ unit: Int) {
            locked {
                completedUnits = passBase + unit
                pthread_cond_broadcast(changed)
            }
        }

        func finishedPass() {
            locked {
                passBase += units
                completedUnits = passBase
                pthread_cond_broadcast(changed)
            }
        }

        private func unit(ofStep number: Int) -> Int { number / steps.count * units + steps[number % steps.count].unit }

        /// Drops steps behind the pass, which makes room for reading steps before it.
        func work() {
            guard !steps.isEmpty else { return }
            pthread_mutex_lock(mutex)
            while !isStopping {
                if nextDrop < nextRead, unit(ofStep: nextDrop) < completedUnits {
                    let step = steps[nextDrop % steps.count]
                    nextDrop += 1
                    guard !step.drop.isEmpty else { continue }
                    pthread_mutex_unlock(mutex)
                    reader.drop(step.drop)
                    pthread_mutex_lock(mutex)
                    held -= step.read.count
                    pthread_cond_broadcast(changed)
                } else if mayRead() {
                    let number = nextRead
                    let step = steps[number % steps.count]
                    nextRead += 1
                    let isStreamed = !step.drop.isEmpty
                    if isStreamed {
                        held += step.read.count
                        streamedBytes += step.read.count
                    }
                    // Where the pass was faster, page faults have read it.
                    guard unit(ofStep: number) >= completedUnits else { continue }
                    pthread_mutex_unlock(mutex)
                    reader.mapping.populate(step.read)
                    pthread_mutex_lock(mutex)
                } else {
                    pthread_cond_wait(changed, mutex)
                }
            }
            pthread_mutex_unlock(mutex)
        }

        /// Resident units are read again in each pass, which costs next to nothing, in case the system has taken pages from them.
        private func mayRead() -> Bool {
            let step = steps[nextRead % steps.count]
            return unit(ofStep: nextRead) < completedUnits + units && (step.drop.isEmpty || held + step.read.count <= window)
        }
    }
}
