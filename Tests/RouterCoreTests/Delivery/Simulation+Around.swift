import RouterCore

// What stands around the machine and can stand still, too: memory, records read a second time, dead letters, and an
// operator who replays. The values are those that the service uses.
extension Simulation {
    /// A topic's limit: many letters go with less than their whole record, and the last form fits.
    static let topicBytes = 2_500

    mutating func keep(_ number: Int, _ id: UUID128, _ batch: SimulatedMember.Batch) {
        members[number]!.batches[id] = batch
        members[number]!.sealedBytes.keep(
            id, deadLetterBytes: batch.deadLetters.count * SimulatedMember.rowBytes,
            blockBytes: batch.rows.mapValues { $0.count * SimulatedMember.rowBytes })
    }

    mutating func forget(_ number: Int, _ id: UUID128) {
        members[number]!.batches[id] = nil
        if mutation != .memoryNotGivenBack { members[number]!.sealedBytes.forget(id) }
    }

    // MARK: - Records read a second time

    mutating func readAgain(_ number: Int) {
        guard let member = members[number],
            let range = members[number]!.rereads.start(nowMilliseconds: now, mayRedo: member.memory.mayRedo)
        else { return }
        let life = member.life
        after(random.upTo(200)) { $0.hasRead(number, life, range) }
    }

    private mutating func hasRead(_ number: Int, _ life: UInt64, _ range: RereadQueue.Range) {
        guard let member = members[number], member.life == life else { return }
        guard member.frozenUntil <= now else {
            return after(member.frozenUntil - now) { $0.hasRead(number, life, range) }
        }
        // Cancelled meanwhile.
        guard member.rereads.current?.job.ticket == range.job.ticket else { return }
        if random.percent(10) && !isHealed {
            // Some letters were handed over before it failed.
            if case .deadLetters(let ticket, _, _, let refusals) = range.job, let first = refusals.keys.min() {
                members[number]!.letters.send(
                    [letter(range.partition, first, refusals[first]!)], as: .rows(ticket: ticket), isLast: false)
            }
            members[number]!.rereads.failed(from: nil, nowMilliseconds: now)
            return
        }
        if mutation != .rereadNotGivenBack { members[number]!.rereads.finished() }
        switch range.job {
        case .redo(let ticket, let id, let lo, let hi):
            guard member.delivery.awaitsRedo(id, ticket: ticket) else { return }
            let (batch, content) = judge(range.partition, lo, hi)
            keep(number, id, batch)
            tell(number, .redoRead(ticket: ticket, batch: id, content: content))
        case .deadLetters(let ticket, _, _, let refusals):
            let letters = refusals.keys.sorted().map { letter(range.partition, $0, refusals[$0]!) }
            let middle = letters.count / 2
            members[number]!.letters.send(Array(letters[..<middle]), as: .rows(ticket: ticket), isLast: false)
            members[number]!.letters.send(Array(letters[middle...]), as: .rows(ticket: ticket))
        }
        readAgain(number)
    }

    mutating func deadLetterRows(
        _ number: Int, _ ticket: UInt64, _ id: UUID128, _ client: ClientID,
        _ refusals: [(rows: RowSet, refusal: Refusal)]
    ) {
        guard let batch = members[number]?.batches[id], let rows = batch.rows[client] else { return }
        var byOffset: [Int64: Refusal] = [:]
        for (chosen, refusal) in refusals {
            for row in chosen.rows { byOffset[rows[Int(row)].offset] = refusal }
            if refusal.reason == .destinationUnavailable, !everBroken.contains(client) {
                faults.append("\(client)'s destination was blamed, and never broken")
            }
        }
        members[number]!.rereads.add(
            .deadLetters(ticket: ticket, batch: id, client: client, refusals: byOffset), partition: batch.partition,
            from: byOffset.keys.min() ?? 0, to: (byOffset.keys.max() ?? 0) + 1)
    }

    // MARK: - Dead letters

    mutating func settle(_ number: Int, _ life: UInt64, _ ticket: UInt64, _ id: UUID128) {
        guard let batch = members[number]?.batches[id] else { return }
        if mutation == .deadLettersDropped, random.percent(50) {
            members[number]!.sealedBytes.deadLettersHandedOver(id)
            return after(random.upTo(50)) { $0.answer(number, life, .deadLettersSettled(ticket: ticket, batch: id)) }
        }
        let refusal = Refusal(.clientNotActive, "suspended")
        members[number]!.letters.send(
            batch.deadLetters.map { letter(batch.partition, $0, refusal) }, as: .batch(ticket: ticket, id))
        members[number]!.sealedBytes.deadLettersHandedOver(id)
    }

    /// Every record has sizes of its own, some of them too large for the topic in one part or all.
    private func letter(_ partition: Int32, _ offset: Int64, _ refusal: Refusal) -> DeadLetter {
        func bytes(_ salt: Int64) -> [UInt8] {
            [UInt8](repeating: 7, count: (offset &* 31 &+ salt) % 11 == 0 ? 3_000 : 20)
        }
        return DeadLetter(
            key: bytes(1), value: bytes(2), headers: [RecordHeader(name: [65], value: bytes(3))],
            origin: RecordOrigin(topic: "t", partition: partition, offset: offset, timestampMilliseconds: 0),
            refusal: refusal)
    }

    mutating func sendLetters(_ number: Int) {
        guard let life = members[number]?.life else { return }
        while let (ticket, item) = members[number]!.letters.next(nowMilliseconds: now) {
            if random.percent(5) && !isHealed {
                members[number]!.letters.putBack(ticket)
                break
            }
            after(random.upTo(60)) { $0.letterArrives(number, life, ticket, item) }
        }
        for group in members[number]!.letters.takeComplete() {
            switch group {
            case .batch(let ticket, let id): tell(number, .deadLettersSettled(ticket: ticket, batch: id))
            case .rows(let ticket): tell(number, .rowsDeadLettered(ticket: ticket))
            }
        }
    }

    private mutating func letterArrives(
        _ number: Int, _ life: UInt64, _ ticket: UInt64, _ item: DeadLetterQueue<SimulatedMember.LetterGroup>.Item
    ) {
        let record = item.letter.record(in: item.form, failedAt: "now", connector: "c")
        let size = record.headers.reduce((record.key?.count ?? 0) + (record.value?.count ?? 0)) {
            $0 + $1.name.count + ($1.value?.count ?? 0)
        }
        var answer = DeadLetterQueue<SimulatedMember.LetterGroup>.Answer.accepted
        if size > Self.topicBytes {
            answer = mutation == .deadLetterNeverSmaller ? .failed : .tooLarge
        } else if random.percent(3) && !isHealed {
            answer = .failed
        }
        if case .accepted = answer {
            deadLetters[item.letter.origin.partition]!.insert(item.letter.origin.offset)
        }
        guard members[number]?.life == life else { return }
        _ = members[number]!.letters.answered(ticket, answer, nowMilliseconds: now)
    }

    // MARK: - An operator

    /// `dlq replay`: dead letters below the committed offsets whose origin has no row are judged again and inserted.
    mutating func replay() {
        guard !clickHouse.isAway, !clickHouse.isFull else { return }
        for partition in Self.partitions {
            for offset in deadLetters[partition]!.sorted() where offset < committed[partition]!.offset {
                let record = log[partition]![Int(offset)]
                guard !record.isAlwaysBad, !record.isPoison, !suspended.contains(record.client),
                    !clickHouse.broken.contains(record.client)
                else { continue }
                let key = SimulatedClickHouse.Key(client: record.client, partition: partition, offset: offset)
                guard clickHouse.rows[key] == nil else { continue }
                clickHouse.rows[key] = 1
                clickHouse.batchOfRow[key] = [UUID128(high: 0x2E91, low: UInt64(offset))]
                replayed += 1
            }
        }
    }

    /// A client is suspended while its inserts are under way, their member dies, the batch is redone without the client,
    /// and the operator resumes it and replays at once.
    mutating func suspendCrashReplay(_ number: Int) {
        let client = Self.clients.randomElement(using: &random)!
        suspended.insert(client)
        crash(number)
        for delay in stride(from: Int64(200), through: 1_800, by: 200) {
            after(delay) { world in
                world.suspended.remove(client)
                world.replay()
                if delay < 1_800 { world.suspended.insert(client) }
            }
        }
    }
}
