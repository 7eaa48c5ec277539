"""What was answered with a success is there after SIGKILL."""

import signal
import threading

from conftest import Front

# Enough that some inserts are cut off between the engine's work and the reply.
KILLS = 3


def test_acknowledged_inserts_survive_sigkill(tmp_path):
    front = Front(tmp_path)
    front.sql("CREATE TABLE default.t (x UInt64, s String) ENGINE = MergeTree ORDER BY x "
              "SETTINGS non_replicated_deduplication_window = 1000")
    acknowledged: list[int] = []
    number = 0
    for _ in range(KILLS):
        enough = threading.Event()

        def insert(first: int, enough=enough) -> None:
            for value in range(first, first + 1000):
                try:
                    reply = front.post(f"{value}\t" + "s" * 1000, query="INSERT INTO default.t FORMAT TSV",
                                       insert_deduplication_token=str(value))
                except OSError:
                    return
                assert reply.status == 200, reply.body
                acknowledged.append(value)
                if value - first >= 20:
                    enough.set()

        threads = [threading.Thread(target=insert, args=(number + offset * 1000,)) for offset in range(3)]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        front.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
        number += 3000
        front.start()
        kept = [int(line) for line in front.sql("SELECT x FROM default.t ORDER BY x").split()]
        assert len(kept) == len(set(kept))
        assert set(acknowledged) <= set(kept)
        # What was cut off may be there or not, and a token that was acknowledged is still known.
        assert len(set(kept) - set(acknowledged)) <= 3 * KILLS
        front.post(f"{acknowledged[-1]}\t" + "s" * 1000, query="INSERT INTO default.t FORMAT TSV",
                   insert_deduplication_token=str(acknowledged[-1]))
        assert int(front.sql("SELECT count() FROM default.t")) == len(kept)
    assert front.end(signal.SIGTERM) == 0
