import ByteStorage

extension SlabPipeline {
    /// What the kernel is asked to have ready behind the reader's position, and how much is dropped at once before it.
    private static let readAhead: UInt64 = 16 << 20
    private static let dropStep: UInt64 = 64 << 20

    /// The body of a reader: takes shards until there are none.
    func read() {
        while let shard = takeShard() {
            if !read(shard) { break }
        }
        monitor.locked {
            state.readers -= 1
            monitor.notify()
        }
    }

    private func takeShard() -> Int? {
        monitor.locked {
            guard state.failure == nil, state.nextShard < files.count else { return nil }
            state.nextShard += 1
            return state.nextShard - 1
        }
    }

    /// False when there is no point in reading on.
    private func read(_ shard: Int) -> Bool {
        let file = files[shard]
        file.adviseSequential()
        var asked: UInt64 = 0
        var dropped: UInt64 = 0
        for slab in SlabSequence(shard: shard, size: file.size, tensors: tensors) {
            if slab.offset + Self.readAhead / 2 >= asked {
                file.willNeed(offset: max(asked, slab.offset), count: Self.readAhead)
                asked = max(asked, slab.offset) + Self.readAhead
            }
            guard let slot = acquire(slab) else { return false }
            do throws(FileError) {
                try file.read(into: UnsafeMutableRawBufferPointer(rebasing: slot.source[..<slab.bytes]), at: slab.offset)
            } catch {
                fail(error, at: slot.sequence)
                monitor.locked {
                    slot.unfinished = 1
                    release(slot)
                }
                return false
            }
            publish(slot)
            if dropsCache && slab.offset >= dropped + Self.dropStep {
                file.dropCache(offset: dropped, count: slab.offset - dropped)
                dropped = slab.offset
            }
        }
        if dropsCache { file.dropCache(offset: dropped, count: file.size - dropped) }
        return true
    }

    /// Waits for a free slot; nil after a failure.
    private func acquire(_ slab: Slab) -> Slot? {
        monitor.locked {
            while state.free.isEmpty && state.failure == nil { monitor.wait() }
            guard state.failure == nil else { return nil }
            let slot = state.free.removeLast()
            slot.slab = slab
            slot.sequence = state.nextSequence
            state.nextSequence += 1
            state.inUse += 1
            return slot
        }
    }

    private func publish(_ slot: Slot) {
        monitor.locked {
            slot.unfinished = 1
            state.shards[slot.slab.shard].waiting.append(slot)
            if slot.slab.tensor != nil {
                slot.unfinished = 2
                state.toProcess.append(slot)
            }
            monitor.notify()
        }
    }
}
