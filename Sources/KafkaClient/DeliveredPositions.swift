/// The offset behind the last record that was handed out, for each partition: it keeps a record from being handed out
/// twice.
///
/// Records come in runs of one partition, so the dictionary is asked once a run.
struct DeliveredPositions {
    private struct Key: Hashable {
        var topic: KafkaTopicID
        var partition: Int32
    }

    private struct Slot {
        /// Taken when the partition is first seen, while its topic is certainly alive.
        var partition: TopicPartition
        var next: Int64
    }

    private var slots: [Slot] = []
    private var indices: [Key: Int] = [:]
    private var current: (key: Key, index: Int)?
    private(set) var redeliveredRecords = 0

    /// - Returns: false for a record at or below one that was handed out before.
    mutating func admit(_ record: KafkaRecord) -> Bool {
        let key = Key(topic: record.topicID, partition: record.partition)
        let index: Int
        if let current, current.key == key {
            index = current.index
        } else if let known = indices[key] {
            index = known
        } else {
            index = slots.count
            slots.append(Slot(partition: record.topicPartition, next: 0))
            indices[key] = index
        }
        current = (key, index)
        guard record.offset >= slots[index].next else {
            redeliveredRecords += 1
            return false
        }
        slots[index].next = record.offset + 1
        return true
    }

    /// The owner has chosen a new position.
    mutating func forget(_ partition: TopicPartition) {
        current = nil
        guard slots.contains(where: { $0.partition == partition }) else { return }
        let kept = indices.filter { slots[$0.value].partition != partition }
        var newSlots: [Slot] = []
        indices = kept.mapValues { old in
            newSlots.append(slots[old])
            return newSlots.count - 1
        }
        slots = newSlots
    }
}
