/// A dictionary of clients that holds at most `limit` values and lets the ones go that were set longest ago.
struct AgedMap<Value> {
    private struct Slot {
        var value: Value
        /// Which of the id's places in `order` is the valid one.
        var stamp: UInt64
    }

    let limit: Int
    private var slots: [ClientID: Slot] = [:]
    /// Every id in the order in which it was set; a place whose stamp is no longer the slot's is passed over.
    private var order: [(id: ClientID, stamp: UInt64)] = []
    private var head = 0
    private var nextStamp: UInt64 = 0

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { slots.count }

    func value(_ id: ClientID) -> Value? {
        slots[id]?.value
    }

    mutating func set(_ id: ClientID, _ value: Value) {
        slots[id] = Slot(value: value, stamp: nextStamp)
        order.append((id, nextStamp))
        nextStamp += 1
        while slots.count > limit { removeOldest() }
        compactIfWasteful()
    }

    /// Changes a value in place; its age stays.
    mutating func update(_ id: ClientID, _ change: (inout Value) -> Void) {
        guard var slot = slots[id] else { return }
        change(&slot.value)
        slots[id] = slot
    }

    mutating func remove(_ id: ClientID) {
        slots[id] = nil
    }

    mutating func removeAll() {
        slots.removeAll()
        order.removeAll()
        head = 0
    }

    private mutating func removeOldest() {
        while head < order.count {
            let place = order[head]
            head += 1
            if slots[place.id]?.stamp == place.stamp {
                slots[place.id] = nil
                return
            }
        }
    }

    /// Places that mean nothing any more are swept out once they outnumber the others: a constant cost a `set`.
    private mutating func compactIfWasteful() {
        guard order.count > 2 * slots.count + 64 else { return }
        order = order[head...].filter { slots[$0.id]?.stamp == $0.stamp }
        head = 0
    }
}
