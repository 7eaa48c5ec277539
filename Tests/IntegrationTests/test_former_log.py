"""A topic that was made anew: what its former log left behind, at the same offsets, is not taken for the new records'."""

from collections import Counter

from test_offsets import COUNT, DYNAMIC, accept, assert_new_log_delivered, await_stopped, make_topic_anew, produce_rows

NEW = 60


def dlq(world, *arguments, status=0):
    answer = world.cli("dlq", *arguments, "--json")
    assert answer.status == status, f"{answer}\n{answer.out}"
    return answer.json


def delete(world, database, records):
    """The rows of these records; those of the former log at the same offsets stay."""
    for each in records:
        world.warehouse.command(
            f"ALTER TABLE `{database}`.events_base DELETE WHERE source_topic = '{world.raw}' AND source_partition = "
            f"{each.partition} AND source_offset = {each.offset} AND toUnixTimestamp64Milli(received_at) = "
            f"{each.timestamp_ms} SETTINGS mutations_sync = 2")


def go_on_with_a_new_log(world, records):
    """The records are delivered or refused by a router that a person let go on in the topic made anew."""
    router = world.run(**DYNAMIC)
    await_stopped(router, {0, 1, 2})
    accept(world, "--all", "--earliest", reason="made anew")
    world.await_caught_up(router)
    assert router.terminate() == 0
    assert len({each.place for each in records}) == len(records)


def test_a_dead_letter_where_the_former_log_has_a_row_is_open(world, seed):
    client = world.add_client()
    old = produce_rows(world, seed)
    world.catch_up(**DYNAMIC)
    make_topic_anew(world)
    new = produce_rows(world, seed + 1, count=NEW)
    world.set_status(client, "suspended")
    former = {each.place for each in old}
    assert all(each.place in former for each in new), "every new record has a row of the former log at its offset"
    go_on_with_a_new_log(world, new)
    assert len(world.dead_letters()) == NEW
    world.set_status(world.clients[client.client_id], "active")

    audit = world.audit()
    assert audit.status == 0 and audit.json["totals"]["dead_lettered"] == NEW, audit.out
    stats = dlq(world, "stats")
    assert (stats["open"], stats["delivered"]) == (NEW, 0)
    assert dlq(world, "list", "--limit", COUNT)["total"] == NEW
    assert dlq(world, "replay", "--dry-run")["delivered"] == NEW
    done = dlq(world, "replay")
    assert (done["delivered"], done["already_delivered"]) == (NEW, 0)
    assert_new_log_delivered(world, old, new)

    assert dlq(world, "replay")["already_delivered"] == NEW
    assert dlq(world, "stats")["delivered"] == NEW
    assert_new_log_delivered(world, old, new)
    audit = world.audit()
    assert audit.status == 0, audit.out
    assert audit.json["totals"]["delivered"] == audit.json["totals"]["delivered_and_dead_lettered"] == NEW
    assert audit.json["totals"]["rows_of_former_log"] == NEW


def test_a_lost_row_where_the_former_log_has_a_row_and_a_dead_letter_comes_back(world, seed):
    client = world.add_client()
    old = produce_rows(world, seed)
    world.catch_up(**DYNAMIC)
    refused = produce_rows(world, seed + 1)
    world.set_status(client, "suspended")
    world.catch_up(**DYNAMIC)
    world.set_status(world.clients[client.client_id], "active")
    ends = {partition: high for partition, (_, high) in world.broker.ends(world.raw).items()}
    make_topic_anew(world)
    new = produce_rows(world, seed + 2, count=COUNT)
    new += produce_rows(world, seed + 3, count=COUNT // 3)
    assert all(high < ends[partition] for partition, (_, high) in world.broker.ends(world.raw).items())
    go_on_with_a_new_log(world, new)
    assert_new_log_delivered(world, old, new)

    dead = {each.place for each in refused}
    lost = [each for each in new if each.place in dead][:3] + [each for each in new if each.place not in dead][:3]
    assert len(lost) == 6
    delete(world, client.database, lost)
    audit = world.audit()
    assert audit.status == 2 and audit.json["totals"]["missing"] == 6, audit.out
    assert {(each["partition"], each["offset"]) for each in audit.json["missing"]} == {each.place for each in lost}
    done = world.cli("rebuild", client.client_id, "--json")
    assert done.status == 0 and done.json["rebuilt"] == 6, done.out
    assert_new_log_delivered(world, old, new)
    assert Counter(row.place for row in world.warehouse.all_rows(world.raw)).total() == len(old) + len(new)
    assert world.audit().status == 0
