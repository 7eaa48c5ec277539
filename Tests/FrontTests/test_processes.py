"""system.processes: whether a query is still under way."""

import threading

from conftest import AUTHENTICATION, wait_until

QUESTION = "SELECT count() FROM system.processes WHERE startsWith(query_id, {prefix:String})"


def test_a_query_does_not_count_itself_unless_it_is_meant(front):
    assert front.sql(QUESTION, param_prefix="batch") == "0"
    assert front.sql(QUESTION, param_prefix="batch", query_id="batch-itself") == "1"
    assert front.sql("SELECT 'system.processes' FROM `system`.`processes`") == "system.processes"
    inner = "SELECT query_id FROM (SELECT * FROM system . processes) AS p"
    assert front.sql(inner, query_id="it's \\ me") == "it\\'s \\\\ me"


def test_an_insert_counts_while_its_body_still_arrives(front, table):
    with front.raw() as raw:
        headers = "".join(f"{name}: {value}\r\n" for name, value in AUTHENTICATION.items())
        raw.sendall(f"POST /?query_id=slow-1&query=INSERT+INTO+default.t+FORMAT+TSV HTTP/1.1\r\nHost: x\r\n{headers}"
                    "Content-Length: 8\r\n\r\n1\ta\n".encode())
        wait_until(lambda: front.sql(QUESTION, param_prefix="slow-") == "1")
        raw.sendall(b"2\tb\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200")
    assert front.sql(QUESTION, param_prefix="slow-") == "0"


def test_the_same_id_twice_at_a_time_is_refused(front):
    thread = threading.Thread(target=front.sql, args=("SELECT sleep(1)",), kwargs={"query_id": "twice"})
    thread.start()
    wait_until(lambda: front.sql(QUESTION, param_prefix="twice") == "1")
    assert front.post("SELECT 1", query_id="twice").code == 216
    thread.join()
    assert front.post("SELECT 1", query_id="twice").status == 200


def test_time_limit_counts_the_body(front, table):
    front.order(do="delay", seconds=0.3)
    reply = front.post("1\ta\n", query="INSERT INTO default.t FORMAT TSV", max_execution_time="0.2")
    assert (reply.status, reply.code) == (408, 159)
    assert front.sql("SELECT count() FROM default.t") == "0"
