# SPDX-License-Identifier: Apache-2.0
"""rdkafka_client.py - an unmodified confluent-kafka with kafka_backup_sasl.

    rdkafka_client.py CASE stls=HOST:PORT sasl=HOST:PORT plain=HOST:PORT ca=FILE

Prints one line on success; an exception is a failure.
"""
import os
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

WHERE = dict(arg.split("=", 1) for arg in sys.argv[2:])
PLUGIN = os.environ["KB_PLUGIN"]


def conf(last=False, **more):
    """SASL_SSL with PLAIN as alice; the plugin first, or last."""
    ours = {"plugin.library.paths": PLUGIN}
    rest = {"bootstrap.servers": WHERE["stls"], "security.protocol": "sasl_ssl",
            "ssl.ca.location": WHERE["ca"], "sasl.mechanism": "PLAIN",
            "sasl.username": "alice", "sasl.password": "alice-secret"}
    rest.update(more)
    return {**rest, **ours} if last else {**ours, **rest}


def works(client):
    assert client.list_topics(timeout=15).brokers


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def threads():
    return len(os.listdir("/proc/self/task"))


def fails(settings, seconds=8):
    """The errors of a client which can't log in."""
    seen = []
    client = AdminClient({**settings, "error_cb": seen.append})
    end = time.time() + seconds
    while time.time() < end and not any(
            e.code() == KafkaError._AUTHENTICATION or e.code() == KafkaError._SSL
            for e in seen):
        client.poll(0.2)
    return seen


def several():
    clients = [AdminClient(conf()),
               AdminClient(conf(last=True)),
               AdminClient(conf(**{"bootstrap.servers": WHERE["sasl"],
                                   "security.protocol": "SASL_PLAINTEXT",
                                   "sasl.mechanism": "SCRAM-SHA-512"})),
               AdminClient({"plugin.library.paths": PLUGIN,
                            "bootstrap.servers": WHERE["plain"]})]
    for client in clients:
        works(client)
    return "%d clients with different settings" % len(clients)


def errors():
    seen = fails(conf(**{"sasl.password": "wrong"}))
    texts = [e.str() for e in seen if e.code() == KafkaError._AUTHENTICATION]
    assert texts and "refuses user alice" in texts[0], seen
    seen = fails(conf(**{"ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt"}))
    assert any("not trusted here" in e.str() for e in seen), seen
    try:
        AdminClient(conf(**{"sasl.mechanism": "NO-SUCH"}))
    except confluent_kafka.KafkaException as e:
        assert "no plugin for SASL mechanism" in str(e), e
    else:
        raise AssertionError("an unknown mechanism was taken")
    return texts[0][:110]


def reauth():
    """20 s over sessions of 3 s, idempotent; each record once, in order."""
    topic = "py-%d" % os.getpid()
    admin = AdminClient(conf())
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    seen, delivered = [], []
    producer = Producer({**conf(), "enable.idempotence": True, "linger.ms": 5,
                         "error_cb": seen.append})
    end, sent = time.time() + 20, 0
    while time.time() < end:
        producer.produce(topic, b"%d" % sent,
                         on_delivery=lambda e, m: delivered.append(e))
        sent += 1
        producer.poll(0.002)
    assert producer.flush(30) == 0
    assert not [e for e in delivered if e], delivered[:3]
    assert not seen, seen
    consumer = Consumer({**conf(), "group.id": topic, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest"})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    got, end = [], time.time() + 30
    while len(got) < sent and time.time() < end:
        got += [int(m.value()) for m in consumer.consume(1000, 1) if not m.error()]
    consumer.close()
    assert got == list(range(sent)), (len(got), sent)
    return "%d records, none lost or doubled, no error" % sent


def token():
    """The application's own OAUTHBEARER callback, unsecured tokens."""
    import base64
    import json
    calls = []

    def part(d):
        return base64.urlsafe_b64encode(json.dumps(d).encode()).decode().rstrip("=")

    def make(config):
        now = time.time()
        calls.append(config)
        return (part({"alg": "none"}) + "." +
                part({"sub": "alice", "iat": int(now) - 5,
                      "exp": int(now) + 300}) + ".", now + 300)

    client = Producer({**conf(**{"sasl.mechanism": "OAUTHBEARER",
                                 "bootstrap.servers": WHERE["stls"]}),
                       "oauth_cb": make})
    end = time.time() + 15
    while not calls and time.time() < end:
        client.poll(0.1)
    works(client)
    return "token callback called %d times" % len(calls)


def churn():
    works(AdminClient(conf()))
    before = (descriptors(), threads())
    for i in range(300):
        client = AdminClient(conf(**{
            "sasl.password": "alice-secret" if i % 3 else "bad"}))
        if i % 50 == 1 and i % 3:
            works(client)
        else:
            time.sleep(i % 5 * 0.005)
        del client
    # one that never answers: destroyed while it dials
    began = time.time()
    client = AdminClient(conf(**{"bootstrap.servers": "127.0.0.1:9"}))
    time.sleep(0.3)
    del client
    took = time.time() - began
    end = time.time() + 10
    while (descriptors(), threads()) != before and time.time() < end:
        time.sleep(0.2)
    assert descriptors() <= before[0] and threads() <= before[1], (
        before, descriptors(), threads())
    assert took < 6, took
    return "300 clients: descriptors and threads as before %r" % (before,)


def fork():
    works(AdminClient(conf()))
    child = os.fork()
    if child == 0:
        try:
            works(AdminClient(conf()))
            os._exit(0)
        except BaseException as e:  # the parent tells by the exit code
            print(e)
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    works(AdminClient(conf()))
    return "a client in a forked child"


def credentials():
    client = AdminClient(conf(**{"sasl.password": "stale"}))
    if not hasattr(client, "set_sasl_credentials"):
        return "no set_sasl_credentials() in this version"
    client.set_sasl_credentials("alice", "alice-secret")
    works(client)
    return "set_sasl_credentials() works"


print(confluent_kafka.libversion()[0], globals()[sys.argv[1]]())
