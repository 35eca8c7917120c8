#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""aws_check.py - sasl_aws_msk_iam.so against AWS's own code.

    aws_check.py PLUGIN.so signatures COUNT
        COUNT random keys, tokens, regions and brokers: botocore has to compute
        the same signatures for what the plugin sends, in both mechanisms.
    aws_check.py PLUGIN.so chain
        Environments with several sources of credentials, with stand-ins for
        STS, a container's endpoint and IMDSv2: botocore has to choose the same
        one.  STS checks AssumeRole's signature by botocore, too.
"""
import base64
import ctypes as C
import datetime
import http.server
import json
import os
import random
import string
import sys
import tempfile
import threading
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sasl_probe as probe  # noqa: E402

failures = 0


def check(what, good, detail=""):
    global failures
    if not good:
        failures += 1
        print("FAILED %s: %s" % (what, detail))


def first_message(plugin, name, broker, settings=None):
    """What a new session sends first; raises probe.Failed."""
    mechanism = probe.Mechanism(plugin, name, settings or {})
    t, host, err = mechanism.type, probe.new_host(), probe.new_error()
    host.log = probe.LOG(lambda h, level, text: None)
    peer = probe.Peer(C.sizeof(probe.Peer), probe.TLS, broker.encode(), None,
                      9098, 0, None, 0)
    session, state, out = C.c_void_p(), C.c_int32(), probe.Out()
    if t.session_open(mechanism.handle, host, peer, C.byref(session), err):
        raise probe.Failed(err.text())
    status = t.step(session, None, 0, out.sink, C.byref(state), err)
    t.session_close(session)
    mechanism.close()
    if status:
        raise probe.Failed(err.text())
    return out.bytes


def at_time(stamp):
    """Let botocore believe that it is `stamp`, as in 20240101T000000Z."""
    when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")

    class Fixed(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return when

        @classmethod
        def now(cls, tz=None):
            return when.replace(tzinfo=tz)

    module = type("datetime", (), {"datetime": Fixed,
                                   "timedelta": datetime.timedelta,
                                   "timezone": datetime.timezone})
    botocore.auth.datetime = module
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: when


def presigned(keys, host, region, stamp):
    """botocore's query for the same request, at the same time."""
    at_time(stamp)
    request = botocore.awsrequest.AWSRequest(
        "GET", "https://%s/" % host, params={"Action": "kafka-cluster:Connect"})
    botocore.auth.SigV4QueryAuth(keys, "kafka-cluster", region,
                                 expires=900).add_auth(request)
    query = urllib.parse.urlsplit(request.prepare().url).query
    return dict(urllib.parse.parse_qsl(query))


def compare_json(plugin, keys, host, region):
    sent = json.loads(first_message(plugin, "AWS_MSK_IAM", host))
    want = presigned(keys, host, region, sent["x-amz-date"])
    got = {k: v for k, v in sent.items() if k.startswith("x-amz-")}
    check("AWS_MSK_IAM for " + host,
          got == {k.lower(): v for k, v in want.items() if k != "Action"},
          "%s is not %s" % (got, want))


def compare_token(plugin, keys, broker, region):
    sent = first_message(plugin, "AWS_MSK_IAM_OAUTHBEARER", broker)
    token = sent.split(b"Bearer ")[1].rstrip(b"\x01")
    check("the token's letters", b"=" not in token, token)
    url = base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4)).decode()
    parts = urllib.parse.urlsplit(url)
    got = dict(urllib.parse.parse_qsl(parts.query))
    check("the agent", got.pop("User-Agent").startswith("kafka-backup/"))
    # As aws-msk-iam-sasl-signer-python has it, for all regions.
    host = "kafka.%s.amazonaws.com" % region
    check("the token's host", parts.netloc == host, parts.netloc)
    want = presigned(keys, host, region, got["X-Amz-Date"])
    check("OAUTHBEARER for " + region, got == want, "%s is not %s" % (got, want))


def signatures(plugin, count):
    rng = random.Random(20240101)
    regions = ["us-east-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1",
               "eusc-de-east-1", "il-central-1"]
    letters = string.ascii_letters + string.digits + "/+="
    for _ in range(count):
        region = rng.choice(regions)
        host = "b-%d.c%d.x1y2z3.c%d.kafka.%s.amazonaws.com" % (
            rng.randrange(99), rng.randrange(10**6), rng.randrange(9), region)
        access = "AKIA" + "".join(rng.choices(string.ascii_uppercase, k=16))
        secret = "".join(rng.choices(letters, k=40))
        token = rng.choice([None, "".join(
            rng.choices(letters, k=rng.randrange(1, 1500)))])
        os.environ["AWS_ACCESS_KEY_ID"] = access
        os.environ["AWS_SECRET_ACCESS_KEY"] = secret
        os.environ.pop("AWS_SESSION_TOKEN", None)
        if token:
            os.environ["AWS_SESSION_TOKEN"] = token
        keys = botocore.credentials.Credentials(access, secret, token)
        compare_json(plugin, keys, host, region)
        compare_token(plugin, keys, host, region)
    print("%d signatures computed by botocore, too" % (2 * count))


class StandIn(http.server.BaseHTTPRequestHandler):
    """STS, a container's endpoint and IMDSv2."""
    asked = []
    broken = None

    def log_message(self, *args):
        pass

    def answer(self, status, body):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        # what botocore looks for in an answer to the request for a token
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(data)

    def keys(self, key, xml=False):
        end = (datetime.datetime.now(datetime.timezone.utc) +
               datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = {"AccessKeyId": key, "SecretAccessKey": "secret",
                  "SessionToken" if xml else "Token": "token",
                  "Expiration": end}
        if not xml:
            return json.dumps(dict(values, Code="Success"))
        action = key
        return ('<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                "<%sResult><Credentials>%s</Credentials><AssumedRoleUser>"
                "<Arn>a</Arn><AssumedRoleId>i:s</AssumedRoleId>"
                "</AssumedRoleUser></%sResult><ResponseMetadata/></%sResponse>"
                % (action, action,
                   "".join("<%s>%s</%s>" % (k, v, k) for k, v in values.items()),
                   action, action))

    def do_PUT(self):
        StandIn.asked.append("imds")
        if StandIn.broken == "imds":
            return self.answer(500, "")
        return self.answer(200, "imds-token")

    def do_GET(self):
        if self.path == "/container":
            StandIn.asked.append("container")
            if StandIn.broken == "container":
                return self.answer(500, "")
            return self.answer(200, self.keys("CONTAINER"))
        base = "/latest/meta-data/iam/security-credentials/"
        if self.headers.get("X-aws-ec2-metadata-token") != "imds-token":
            return self.answer(401, "")
        if self.path == base:
            return self.answer(200, "my-role")
        if self.path == base + "my-role":
            return self.answer(200, self.keys("IMDS"))
        return self.answer(404, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        StandIn.asked.append("sts")
        if StandIn.broken == "sts":
            return self.answer(403, "<ErrorResponse><Error><Type>Sender</Type>"
                                    "<Code>AccessDenied</Code><Message>no"
                                    "</Message></Error></ErrorResponse>")
        if form["Action"] == "AssumeRole":
            self.verify(body)
        return self.answer(200, self.keys(form["Action"], xml=True))

    def verify(self, body):
        """AssumeRole's signature, computed again by botocore."""
        sent = self.headers["Authorization"]
        scope = sent.split("Credential=")[1].split(",")[0].split("/")
        at_time(self.headers["X-Amz-Date"])
        request = botocore.awsrequest.AWSRequest(
            "POST", "http://%s/" % self.headers["Host"], data=body,
            headers={"Content-Type": self.headers["Content-Type"]})
        token = self.headers.get("X-Amz-Security-Token")
        keys = botocore.credentials.Credentials(scope[0], "secret", token)
        botocore.auth.SigV4Auth(keys, "sts", scope[2]).add_auth(request)
        check("AssumeRole's signature",
              request.headers["Authorization"] == sent,
              "%s is not %s" % (sent, request.headers["Authorization"]))


def clean_environment(url, home):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update({
        "HOME": home, "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL_STS": url,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": url,
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1"})


def ours(plugin):
    sent = first_message(plugin, "AWS_MSK_IAM", "kafka.corp")
    return json.loads(sent)["x-amz-credential"].split("/")[0]


def theirs():
    return botocore.session.Session().get_credentials() \
        .get_frozen_credentials().access_key


def chain(plugin):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_port
    home = tempfile.mkdtemp()
    os.mkdir(home + "/.aws")
    token = home + "/token"
    with open(token, "w") as f:
        f.write("web.identity.token")
    env = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "secret"}
    web = {"AWS_WEB_IDENTITY_TOKEN_FILE": token,
           "AWS_ROLE_ARN": "arn:aws:iam::1:role/irsa"}
    container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url + "/container"}
    files = {
        "config": "[profile role]\nrole_arn = arn:aws:iam::1:role/r\n"
                  "source_profile = keys\nrole_session_name = me\n"
                  "[profile env]\nrole_arn = arn:aws:iam::1:role/r\n"
                  "credential_source = EcsContainer\n"
                  "[profile process]\ncredential_process = echo '" +
                  '{"Version":1,"AccessKeyId":"PROCESS","SecretAccessKey":"s"}'
                  + "'\n",
        "credentials": "[keys]\naws_access_key_id = KEYS\n"
                       "aws_secret_access_key = secret\n"}
    for name, text in files.items():
        with open(home + "/.aws/" + name, "w") as f:
            f.write(text)
    cases = [
        ({**env, **web, **container}, "ENV"),
        ({**web, **container}, "AssumeRoleWithWebIdentity"),
        ({**container}, "CONTAINER"),
        ({}, "IMDS"),
        ({**container, "AWS_PROFILE": "keys"}, "KEYS"),
        ({**container, "AWS_PROFILE": "role"}, "AssumeRole"),
        ({**container, "AWS_PROFILE": "env"}, "AssumeRole"),
        ({**container, "AWS_PROFILE": "process"}, "PROCESS"),
    ]
    for settings, want in cases:
        clean_environment(url, home)
        os.environ.update(settings)
        check("botocore with %s" % settings, theirs() == want, theirs())
        check("the plugin with %s" % settings, ours(plugin) == want,
              ours(plugin))
    broken(plugin, url, home, {**web, **container}, "sts", ["sts"])
    broken(plugin, url, home, {**container}, "container", ["container"])
    broken(plugin, url, home, {**container, "AWS_PROFILE": "none"}, None, [])
    broken(plugin, url, home, {**container, "AWS_ACCESS_KEY_ID": "x"}, None, [])
    broken(plugin, url, home, {}, "imds", ["imds"])
    print("%d environments, and 5 with a source that fails" % len(cases))


def broken(plugin, url, home, settings, what, asked):
    """A source that fails is the end: nobody after it is asked."""
    clean_environment(url, home)
    os.environ.update(settings)
    StandIn.asked, StandIn.broken = [], what
    try:
        check("broken %s" % settings, False, "used " + ours(plugin))
    except probe.Failed as failure:
        check("who was asked", StandIn.asked == asked, StandIn.asked)
        check("no secret in it", "secret" not in str(failure).lower() or
              "AWS_SECRET_ACCESS_KEY is not" in str(failure), str(failure))
    StandIn.broken = None


if __name__ == "__main__":
    if sys.argv[2] == "signatures":
        signatures(sys.argv[1], int(sys.argv[3]))
    else:
        chain(sys.argv[1])
    sys.exit(1 if failures else 0)
