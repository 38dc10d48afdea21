import ModelFiles
import Quantization
import Tensors

extension SlabPipeline {
    private enum Task {
        case digest(Slot)
        case process(Slot)
    }

    /// The body of a worker.
    func processSlots() {
        // One encoder is kept: its scratch is large, and neighbouring slabs mostly have the same shape.
        var encoder: PanelEncoder?
        while let task = nextTask() {
            switch task {
            case .digest(let slot): digest(slot)
            case .process(let slot): process(slot, &encoder)
            }
        }
    }

    /// Nil when all is done.
    private func nextTask() -> Task? {
        monitor.locked {
            while true {
                for chain in state.shards where !chain.isBusy && !chain.waiting.isEmpty {
                    chain.isBusy = true
                    return .digest(chain.waiting.removeFirst())
                }
                if !state.toProcess.isEmpty { return .process(state.toProcess.removeFirst()) }
                if state.isOver { return nil }
                monitor.wait()
            }
        }
    }

    private func hasFailed(before sequence: Int) -> Bool {
        monitor.locked { state.failure.map { $0.sequence < sequence } ?? false }
    }

    private func digest(_ slot: Slot) {
        let chain = state.shards[slot.slab.shard]
        if !hasFailed(before: slot.sequence) {
            chain.digest.update(slot.sourceBytes)
            if slot.slab.endsShard {
                do { try work.finishShard(slot.slab.shard, digest: chain.digest.finalize()) } catch { fail(error, at: slot.sequence) }
            }
        }
        monitor.locked {
            chain.isBusy = false
            release(slot)
            monitor.notify()
        }
    }

    private func process(_ slot: Slot, _ encoder: inout PanelEncoder?) {
        let index = slot.slab.tensor!
        let layout = tensors[index].layout
        guard !hasFailed(before: slot.sequence) else { return monitor.locked { release(slot) } }
        let grids = tensors[index].grids ?? DefaultGrids.tables(for: layout.type)
        if encoder?.layout != layout || encoder?.grids !== grids {
            // The old one's scratch goes before the new one's comes.
            encoder = nil
            encoder = PanelEncoder(layout: layout, grids: grids, kernels: kernels)
        }
        let stored = UnsafeMutableRawBufferPointer(rebasing: slot.stored[..<(slot.slab.panels.count * layout.panelBytes)])
        do {
            slot.sums = try work.process(slot.slab, source: slot.sourceBytes, stored: stored, encoder: encoder!)
        } catch {
            fail(error, at: slot.sequence)
            return monitor.locked { release(slot) }
        }
        assemble(slot, tensor: index)
    }

    /// Puts the slab where it belongs in its tensor, and takes the chain further if nobody else is doing so.
    private func assemble(_ slot: Slot, tensor index: Int) {
        let chain = monitor.locked { () -> TensorChain? in
            guard state.failure == nil else {
                release(slot)
                return nil
            }
            let chain = state.tensors[index]
            chain.waiting[slot.slab.ordinal] = slot
            guard !chain.isBusy else { return nil }
            chain.isBusy = true
            return chain
        }
        guard let chain else { return }
        let panelBytes = tensors[index].layout.panelBytes
        while let slot = takeNext(chain) {
            for sums in slot.sums { chain.sums.add(sums) }
            if work.digestsStored {
                chain.digest.update(UnsafeRawBufferPointer(rebasing: slot.stored[..<(slot.slab.panels.count * panelBytes)]))
            }
            chain.next += 1
            if chain.next == tensors[index].slabs { work.finishTensor(index, digest: chain.digest.finalize(), sums: chain.sums) }
            monitor.locked { release(slot) }
        }
    }

    /// Nil when the next slab has not come yet; the chain is then free for another worker.
    private func takeNext(_ chain: TensorChain) -> Slot? {
        monitor.locked {
            if let slot = chain.waiting.removeValue(forKey: chain.next) { return slot }
            chain.isBusy = false
            return nil
        }
    }
}
