import email
import email.policy
import json
import socketserver
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from alert_folder import nrr, write_run
from click.testing import CliRunner

from cslib.cli import main
from cslib.errors import ParameterError
from cslib.report.digest import Digest, News
from cslib.report.send import receivers, send

SECRET = "s3cr3t-t0ken"
TOLD = News("missed", 1.0, "**NRR fell below its target**: 89 %.", "scorecard.html#retention", "Scorecard, retention")
DIGEST = Digest((TOLD,), (), "2025-06-30", 20)


class Web(BaseHTTPRequestHandler):
    """Take a message, or refuse it where its address says so."""

    timeout = 5

    def do_POST(self):
        self.server.got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(503 if "down" in self.path else 200)
        self.end_headers()

    def log_message(self, *args):
        pass


class Mail(socketserver.StreamRequestHandler):
    """Take a mail, as far as SMTP needs."""

    timeout = 5

    def handle(self):
        self.say("220 ready")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb == b"DATA":
                self.say("354 go on")
                self.server.got.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self.say("221 bye" if verb == b"QUIT" else "250 ok")

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def listening(kind):
    """A receiver on this machine; gives its port and what it got, and ends with the block."""
    with socketserver.TCPServer(("127.0.0.1", 0), kind) as server:
        server.got = []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server.server_address[1], server.got
        finally:
            server.shutdown()


@pytest.fixture
def reports(tmp_path):
    write_run(tmp_path, nrr("2025-05-31", 0.96), as_of="2025-05-31")
    write_run(tmp_path, nrr("2025-06-30", 0.96, 0.89), as_of="2025-06-30")
    return tmp_path


def called(reports, *to):
    arguments = [part for address in to for part in ("--to", address)]
    result = CliRunner().invoke(main, ["alert", "--out", str(reports), *arguments])
    written = [p.read_text() for p in reports.iterdir() if p.is_file() and p.suffix in (".json", ".md", ".html")]
    assert SECRET not in result.output + "".join(written)
    return result


def test_a_chat_gets_markdown():
    with listening(Web) as (port, got):
        assert send(DIGEST, receivers([f"json://127.0.0.1:{port}/hook"])) == []
    ((path, message),) = got
    assert path == "/hook"
    assert message["title"] == "Customer KPIs: 1 thing to know · 30 June 2025"
    assert message["message"].startswith("- **NRR fell below its target**: 89 %. (Scorecard, retention)")


def test_a_mail_is_the_page():
    with listening(Mail) as (port, got):
        address = f"mailto://127.0.0.1:{port}?from=reports@example.com&to=lead@example.com"
        assert send(DIGEST, receivers([address])) == []
    mail = email.message_from_bytes(got[0], policy=email.policy.default)
    assert mail["Subject"] == "Customer KPIs: 1 thing to know · 30 June 2025"
    html = mail.get_body(["html"]).get_content()
    assert "<strong>NRR fell below its target</strong>" in html
    assert "href" not in html
    assert "NRR fell below its target: 89 %." in mail.get_body(["plain"]).get_content()


def test_an_address_takes_its_secret_from_the_environment_and_nobody_sees_it(reports, monkeypatch):
    monkeypatch.setenv("HOOK", SECRET)
    with listening(Web) as (port, got):
        end = called(reports, f"json://127.0.0.1:{port}/${{HOOK}}")
        assert end.exit_code == 3
        assert called(reports, f"json://127.0.0.1:{port}/${{HOOK}}").exit_code == 0
    assert [path for path, _ in got] == [f"/{SECRET}"]
    assert "fell below its target" in got[0][1]["message"]


def test_a_receiver_that_is_down_is_named_without_its_secret_and_gets_it_the_next_time(reports):
    with listening(Web) as (port, got):
        end = called(reports, f"json://127.0.0.1:{port}/ok", f"json://user:{SECRET}@127.0.0.1:{port}/down/{SECRET}")
        assert end.exit_code == 1
        message = (
            "Error: The digest did not reach receiver 2 (json://…). What is new is kept, and sent with the next call."
        )
        assert message in end.output
        assert called(reports, f"json://127.0.0.1:{port}/up/{SECRET}").exit_code == 3
    assert [path.split("/")[1] for path, _ in got] == ["ok", "down", "up"]
    assert called(reports).exit_code == 0


class Silent(socketserver.BaseRequestHandler):
    """Take a call, and say nothing until the other side hangs up."""

    def handle(self):
        self.request.settimeout(5)
        while self.request.recv(4096):
            pass


def test_who_never_answers_is_not_waited_for(reports):
    with listening(Silent) as (port, _):
        end = called(reports, f"json://127.0.0.1:{port}/{SECRET}?rto=0.2")
    assert (end.exit_code, "did not reach receiver 1 (json://…)" in end.output) == (1, True)


def test_nobody_at_the_other_end(reports):
    with listening(Web) as (port, _):
        pass
    end = called(reports, f"json://127.0.0.1:{port}/{SECRET}")
    assert (end.exit_code, "did not reach receiver 1 (json://…)" in end.output) == (1, True)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (f"nosuch://{SECRET}", r"--to: receiver 1 \(nosuch://…\) is no address that apprise knows"),
        (SECRET, "--to: receiver 1 is no address that apprise knows. Write it as mailto://…, slack://…"),
        ("", "--to: receiver 1 is no address"),
        ("json://${NOWHERE_SET}/" + SECRET, "--to names the variable NOWHERE_SET, which is not set. Set it first."),
    ],
)
def test_a_wrong_address_is_refused_before_anything_is_told(reports, address, message):
    with pytest.raises(ParameterError, match=message) as error:
        receivers([address])
    assert SECRET not in str(error.value)
    assert called(reports, address).exit_code == 2
    assert not (reports / "alerts.json").exists()


def test_what_a_service_raises_is_not_shown(monkeypatch):
    (receiver,) = receivers(["json://127.0.0.1:9/x"])

    def raises(*args, **kwargs):
        raise RuntimeError(SECRET)

    monkeypatch.setattr("apprise.Apprise.notify", raises)
    assert send(DIGEST, [receiver]) == ["receiver 1 (json://…)"]


def test_without_apprise_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(
        ParameterError, match=r"--to needs the package apprise. Install it with: pip install 'cslib\[alert\]'"
    ):
        receivers(["json://127.0.0.1:9"])
