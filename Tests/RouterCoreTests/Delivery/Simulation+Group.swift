import RouterCore

// The group: who owns what, by which generation, and what a coordinator answers.
extension Simulation {
    mutating func startMember(_ number: Int) {
        lastLife += 1
        members[number] = SimulatedMember(number: number, life: lastLife, limits: limits)
        let life = lastLife
        after(50 + random.upTo(300)) { world in
            guard world.members[number]?.life == life else { return }
            world.join(number)
        }
    }

    mutating func join(_ number: Int) {
        nextGeneration(joining: number)
        assignFree(preferring: number)
    }

    /// Every member that answers gets the new generation; one that is frozen, or was thrown out before, does not.
    mutating func nextGeneration(joining: Int? = nil, without: Int? = nil) {
        generation += 1
        for (number, member) in members where number != without {
            let answers = member.generation == generation - 1 && member.frozenUntil <= now
            if answers || number == joining {
                members[number]!.generation = generation
            } else if member.generation == generation - 1 {
                // It missed this generation: what it held is free.
                freePartitions(of: number)
                heartbeat(number, after: 500)
            }
        }
    }

    mutating func crash(_ number: Int) {
        guard members[number] != nil else { return }
        members[number] = nil
        let delay = Self.sessionTimeoutMilliseconds + random.upTo(500)
        let life = lastLife
        after(random.upTo(2_000)) { if $0.members[number] == nil { $0.startMember(number) } }
        after(delay) { world in
            if (world.members[number]?.life ?? 0) <= life { world.freePartitions(of: number) }
        }
        // A restarted member of the same name has fenced the old one at once.
        freePartitions(of: number)
    }

    /// The coordinator throws a member out; the member learns of it by its next commit or heartbeat.
    mutating func evict(_ number: Int) {
        guard members[number] != nil else { return }
        nextGeneration(without: number)
        freePartitions(of: number)
        heartbeat(number, after: 500)
    }

    /// The group's state of a partition is lost while no member runs, and a person lets it go on further back: rows from
    /// there on are known by their origin only.
    mutating func commitsVanish() {
        for number in 0..<2 { crash(number) }
        guard let partition = Self.partitions.randomElement(using: &random), let state = committed[partition] else {
            return
        }
        takenOver += 1
        committed[partition] = PartitionState(
            offset: random.upTo(state.offset), heldBelow: Int64(log[partition]!.count))
    }

    mutating func heartbeat(_ number: Int, after delay: Int64) {
        guard let life = members[number]?.life else { return }
        after(delay) { world in
            guard let member = world.members[number], member.life == life else { return }
            if member.frozenUntil > world.now { return world.heartbeat(number, after: 300) }
            guard member.generation != world.generation else { return }
            if world.mutation != .ignoresMissedGeneration {
                let lost = Array(member.positions.keys)
                world.tell(number, .lost(partitions: lost))
                for partition in lost { world.members[number]!.positions[partition] = nil }
            }
            world.join(number)
        }
    }

    mutating func freePartitions(of number: Int) {
        for partition in Self.partitions where owner[partition] == number { owner[partition] = nil }
        if let other = members.keys.filter({ $0 != number }).first { after(20) { $0.assignFree(preferring: other) } }
    }

    mutating func assignFree(preferring number: Int) {
        for partition in Self.partitions where owner[partition] == nil {
            let candidates = members.keys.filter { members[$0]!.generation == generation }.sorted()
            guard let chosen = candidates.contains(number) ? number : candidates.first else { continue }
            owner[partition] = chosen
            assign(partition, to: chosen)
        }
    }

    /// The member reads the committed state after its assignment, a moment later.
    mutating func assign(_ partition: Int32, to number: Int) {
        guard let life = members[number]?.life else { return }
        after(random.upTo(100)) { world in
            guard let member = world.members[number], member.life == life, world.owner[partition] == number else {
                return
            }
            if member.frozenUntil > world.now { return world.assign(partition, to: number) }
            guard member.generation == world.generation, var state = world.committed[partition] else { return }
            if world.mutation == .noRedo { state = PartitionState(offset: state.end) }
            world.members[number]!.positions[partition] = state.end
            world.tell(number, .assigned(partition: partition, state: state))
        }
    }

    /// A partition moves from one member to the other, by the rules.
    mutating func rebalance() {
        guard let partition = Self.partitions.randomElement(using: &random), let from = owner[partition],
            members[from] != nil, members[1 - from] != nil, members[from]!.positions[partition] != nil
        else { return }
        members[from]!.positions[partition] = nil
        tell(from, .revoking(partitions: [partition]))
    }

    mutating func released(_ partition: Int32, by number: Int) {
        guard owner[partition] == number else { return }
        owner[partition] = nil
        nextGeneration()
        assignFree(preferring: 1 - number)
    }

    mutating func commit(_ number: Int, _ partition: Int32, _ state: PartitionState, _ ticket: UInt64) {
        guard let life = members[number]?.life, let generation = members[number]?.generation else { return }
        after(random.upTo(60)) { world in
            var answer = CommitAnswer.durable
            // A request carries the generation of the moment it was sent. While a rebalance is under way the coordinator
            // still takes the one before, as Kafka does, from a member that still owns the partition.
            let isMember =
                world.members[number]?.generation == world.generation && generation >= world.generation - 1
                && world.owner[partition] == number
            if world.random.percent(3) && !world.isHealed {
                answer = .retry
                if world.random.percent(50) && isMember { world.committed[partition] = state }
            } else if isMember && world.members[number]?.life == life {
                if world.mutation == .noIntent {
                    world.committed[partition] = PartitionState(offset: state.offset)
                } else {
                    world.committed[partition] = state
                }
            } else {
                answer = world.mutation == .ignoresMissedGeneration ? .durable : .generationMissed
            }
            let reply = answer
            world.after(world.random.upTo(60)) { world in
                world.answer(number, life, .committed(partition: partition, ticket: ticket, answer: reply))
            }
        }
    }
}
