import RouterCore

// The pipeline around the machine: it reads, judges, seals, and carries out what the machine asks.
extension Simulation {
    mutating func working(_ number: Int) {
        after(30 + random.upTo(60)) { $0.working(number) }
        guard let member = members[number], member.frozenUntil <= now else { return }
        _ = members[number]!.memory.update(member.held)
        if !members[number]!.memory.isOver {
            for partition in member.positions.keys.sorted() { sealSome(number, partition) }
        }
        tell(number, .tick)
        readAgain(number)
        sendLetters(number)
    }

    mutating func sealSome(_ number: Int, _ partition: Int32) {
        guard let position = members[number]!.positions[partition], members[number]!.delivery.canSeal(partition) else {
            return
        }
        let available = Int64(log[partition]!.count) - position
        guard available > 0 else { return }
        let hi = position + 1 + random.upTo(min(available - 1, 12))
        lastBatch += 1
        let id = UUID128(high: 0xBA7C, low: lastBatch)
        let (batch, content) = judge(partition, position, hi)
        keep(number, id, batch)
        members[number]!.positions[partition] = hi
        let actions = members[number]!.delivery.seal(
            partition: partition, batch: id, hi: hi, content: content, nowMilliseconds: now)
        perform(number, actions)
    }

    func judge(_ partition: Int32, _ lo: Int64, _ hi: Int64) -> (SimulatedMember.Batch, BatchContent) {
        var batch = SimulatedMember.Batch(partition: partition)
        for offset in lo..<hi {
            let record = log[partition]![Int(offset)]
            if record.isAlwaysBad || suspended.contains(record.client) {
                batch.deadLetters.append(offset)
            } else {
                batch.rows[record.client, default: []].append(
                    .init(partition: partition, offset: offset, month: record.month, isPoison: record.isPoison))
            }
        }
        let blocks = batch.rows.map { (client: $0.key, rowCount: $0.value.count) }
            .sorted { $0.client.low < $1.client.low }
        return (batch, BatchContent(deadLetterCount: batch.deadLetters.count, blocks: blocks))
    }

    mutating func tell(_ number: Int, _ event: DeliveryEvent) {
        guard members[number] != nil else { return }
        perform(number, members[number]!.delivery.handle(event, nowMilliseconds: now))
        if let due = members[number]?.delivery.nextDeadlineMilliseconds, due <= now {
            faults.append("spins: due at \(due), now \(now)")
        }
    }

    /// An answer reaches the life that asked, once it is awake.
    mutating func answer(_ number: Int, _ life: UInt64, _ event: DeliveryEvent) {
        guard let member = members[number], member.life == life else { return }
        guard member.frozenUntil <= now else {
            return after(member.frozenUntil - now) { $0.answer(number, life, event) }
        }
        tell(number, event)
    }

    mutating func perform(_ number: Int, _ actions: [DeliveryAction]) {
        guard let life = members[number]?.life else { return }
        for action in actions {
            switch action {
            case .commit(let partition, let state, let ticket): commit(number, partition, state, ticket)
            case .redo(let ticket, let partition, let batch, let lo, let hi):
                redoneBatches += 1
                members[number]!.rereads.add(
                    .redo(ticket: ticket, batch: batch, lo: lo, hi: hi), partition: partition, from: lo, to: hi)
            case .settleDeadLetters(let ticket, let batch): settle(number, life, ticket, batch)
            case .insert(let ticket, let batch, let client, let rows, let token, let before):
                insert(number, life, ticket, batch, client, rows, token, before)
            case .askBatchQuiet(let ticket, let batch, let scope): askBatchQuiet(number, life, ticket, batch, scope)
            case .askQuiet(let ticket, let batch, _): askQuiet(number, life, ticket, batch)
            case .readBack(let ticket, let batch, let client, let scope):
                readBack(number, life, ticket, batch, client, scope)
            case .deadLetterRows(let ticket, let batch, let client, let refusals):
                deadLetterRows(number, ticket, batch, client, refusals)
            case .probeServer(let ticket):
                after(random.upTo(200)) { world in
                    world.answer(number, life, .serverProbed(ticket: ticket, isWell: !world.clickHouse.isAway))
                }
            case .probeWrite(let ticket): probeWrite(number, life, ticket)
            case .blockSettled(let batch, let client, _): members[number]!.sealedBytes.blockSettled(batch, client)
            case .completed(let batch): forget(number, batch)
            case .dropped(let batch):
                for ticket in members[number]!.rereads.cancel(batch: batch).letterTickets {
                    members[number]!.letters.abandon(.rows(ticket: ticket))
                }
                forget(number, batch)
            case .release(let partition): released(partition, by: number)
            case .startOver(let partitions):
                for partition in partitions { members[number]!.positions[partition] = nil }
                freePartitions(of: number)
                after(random.upTo(300)) { world in
                    if world.members[number]?.life == life { world.join(number) }
                }
            case .start, .circuitOpened, .circuitClosed, .serverBlamed, .serverBack, .writeProbeMissing: break
            }
        }
    }

    mutating func insert(
        _ number: Int, _ life: UInt64, _ ticket: UInt64, _ id: UUID128, _ client: ClientID, _ rows: RowSet,
        _ token: String, _ before: Int64
    ) {
        guard let all = members[number]?.batches[id]?.rows[client] else { return }
        let chosen = rows.rows.map { all[Int($0)] }
        let isLost = random.percent(4) && !isHealed
        let sendDelay = random.upTo(20)
        order += 1
        let query = UInt64(order)
        after(sendDelay) { world in
            if world.now >= before {
                return world.answer(
                    number, life,
                    .insertAnswered(ticket: ticket, answer: .notSent(message: "late")))
            }
            if world.clickHouse.isAway {
                return world.answer(
                    number, life,
                    .insertAnswered(ticket: ticket, answer: .unknown(message: "refused", mayHaveReachedServer: false)))
            }
            world.clickHouse.running[query] = (id, world.now)
            let takes = world.random.percent(90) ? world.random.upTo(150) : world.random.upTo(1_900)
            world.after(takes) { world in
                world.clickHouse.running[query] = nil
                let result = world.clickHouse.insert(
                    client: client, batch: id, token: token, rows: chosen, now: world.now, random: &world.random)
                var answer = InsertAnswer.acknowledged
                if result == .rowFault { answer = .rowFault(message: "poison") }
                if result == .refused {
                    // Some of the broken ones have no table, others throw what anybody's could throw.
                    let isOwn = world.clickHouse.broken.contains(client) && client.low == 1
                    answer = .refused(
                        message: "broken",
                        suspicion: isOwn ? .destination : .serverOrDestination(slowDown: client.low == 2))
                }
                if isLost { answer = .unknown(message: "connection lost", mayHaveReachedServer: true) }
                let reply = answer
                if world.mutation == .slotLeaked, world.random.percent(1) { return }
                world.after(world.random.upTo(30)) {
                    $0.answer(number, life, .insertAnswered(ticket: ticket, answer: reply))
                }
            }
            if isLost && world.random.percent(50) {
                // The client gives up while the query goes on.
                world.answer(
                    number, life,
                    .insertAnswered(
                        ticket: ticket, answer: .unknown(message: "timed out", mayHaveReachedServer: true)))
            }
        }
    }

    mutating func askBatchQuiet(
        _ number: Int, _ life: UInt64, _ ticket: UInt64, _ id: UUID128, _ scope: ReadBackScope
    ) {
        after(random.upTo(50)) { world in
            var answer = QuietAnswer.quiet
            if world.clickHouse.isAway {
                answer = .unknown
            } else if world.mutation != .noBatchQuiet,
                world.clickHouse.running.values.contains(where: { query in
                    if case .origin(let since) = scope, query.since <= since { return true }
                    return query.batch == id
                })
            {
                answer = .running
            }
            world.answer(number, life, .batchQuietAnswered(ticket: ticket, answer: answer))
        }
    }

    mutating func askQuiet(_ number: Int, _ life: UInt64, _ ticket: UInt64, _ id: UUID128) {
        after(random.upTo(50)) { world in
            var answer = QuietAnswer.quiet
            if world.clickHouse.isAway {
                answer = .unknown
            } else if world.clickHouse.running.values.contains(where: { $0.batch == id }) {
                answer = .running
            }
            world.answer(number, life, .quietAnswered(ticket: ticket, answer: answer))
        }
    }

    mutating func probeWrite(_ number: Int, _ life: UInt64, _ ticket: UInt64) {
        after(random.upTo(200)) { world in
            var answer = WriteProbeAnswer.taken
            if world.clickHouse.isAway {
                answer = .unknown
            } else if world.clickHouse.isFull && world.mutation != .writeProbeLies {
                answer = .refused(message: "disk full", slowDown: false)
            }
            world.answer(number, life, .writeProbed(ticket: ticket, answer: answer))
        }
    }

    mutating func readBack(
        _ number: Int, _ life: UInt64, _ ticket: UInt64, _ id: UUID128, _ client: ClientID, _ scope: ReadBackScope
    ) {
        guard let rows = members[number]?.batches[id]?.rows[client] else { return }
        let byOrigin = scope != .batch && mutation != .forgetsOrigins
        after(random.upTo(50)) { world in
            var answer = ReadBackAnswer.unknown
            if world.clickHouse.broken.contains(client), client.low > 1 {
                // What cannot be written can often not be read either.
                answer = .refused(message: "broken")
            } else if !world.clickHouse.isAway {
                var held: [Int32] = []
                for (index, row) in rows.enumerated() where world.mutation != .noReadBack {
                    let key = SimulatedClickHouse.Key(client: client, partition: row.partition, offset: row.offset)
                    let batches = world.clickHouse.batchOfRow[key] ?? []
                    if byOrigin ? !batches.isEmpty : batches.contains(id) { held.append(Int32(index)) }
                }
                answer = .held(RowSet(held), offsets: rows.map(\.offset))
            }
            world.answer(number, life, .readBackAnswered(ticket: ticket, answer: answer))
        }
    }
}
