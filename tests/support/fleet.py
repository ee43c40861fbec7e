"""A real store and real nodes in a folder of their own, driven only by their command lines."""

import http.client
import json
import os
import pathlib
import re
import shutil

from client import RegistryClient
from processes import BIN, PATIENCE, Daemon, free_port, run, wait_for

STORE = BIN / "outport-store"
NODE = BIN / "outport-node"
CONTROL = BIN / "outportctl"
PASSWORD = "correct horse battery staple"
SANITIZER_REPORT = re.compile(r"(WARNING|ERROR): \w*Sanitizer|runtime error:")


class Member(Daemon):
    """A store or a node of a fleet."""

    def __init__(self, fleet, name, program, data, registry_port=None, operations_port=None):
        self.fleet = fleet
        self.data = pathlib.Path(data)
        self.config = self.data / ("store.yml" if program == STORE else "node.yml")
        self.registry_port = registry_port or free_port()
        self.operations_port = operations_port or free_port()
        super().__init__(name, [program, "serve", "--config", self.config],
                         fleet.folder / f"{name}.log", fleet.prefix)

    def operations(self, path):
        """(status, text) of the operations API; (0, reason) if there is no answer."""
        if self.prefix:
            url = f"http://127.0.0.1:{self.operations_port}{path}"
            done = run("curl", "-sS", "-m", "5", "-w", "\n%{http_code}", url, prefix=self.prefix,
                       check=False)
            body, _, status = done.stdout.rpartition("\n")
            return int(status or 0), body or done.stderr
        connection = http.client.HTTPConnection("127.0.0.1", self.operations_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()

    def metric(self, name, **labels):
        """The sum of the samples of a metric that have these labels."""
        total = 0.0
        for line in self.operations("/metrics")[1].splitlines():
            sample = re.fullmatch(r"([\w:]+)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
            if sample and sample.group(1) == name:
                there = dict(re.findall(r'(\w+)="([^"]*)"', sample.group(2) or ""))
                if labels.items() <= there.items():
                    total += float(sample.group(3))
        return total

    def ready(self):
        if not self.alive():
            raise AssertionError(f"{self.name} ended, exit code {self.process.returncode}:\n"
                                 f"{self.log_tail()}")
        return self.operations("/readyz")[0] == 200

    def warnings(self, ready=False):
        """The warnings in /readyz; with `ready` it must also answer 200."""
        status, text = self.operations("/readyz")
        assert status == 200 or not ready, text
        return json.loads(text)["warnings"]

    def start(self, seconds=30):
        self.spawn()
        wait_for(f"{self.name} to be ready", self.ready, seconds)
        return self

    def set_registry(self, **keys):
        """Restarts with these keys, besides `listen`, in the section `registry`."""
        self.set_section("registry", listen=self.at(), **keys)

    def set_section(self, name, **keys):
        """Restarts with exactly these keys in that section of its configuration, which it may lack."""
        self.stop()
        line = f"{name}: {json.dumps(keys, default=str)}"
        text, count = re.subn(rf"(?m)^{name}: .*$", line, self.config.read_text())
        assert count <= 1, text
        if count == 0:
            text += line + "\n"
        self.config.write_text(text)
        self.start()

    def healthy(self):
        return self.operations("/healthz")[0] == 200

    def client(self, user="demo", password=PASSWORD, timeout=60 * PATIENCE):
        return RegistryClient(self.fleet.host, self.registry_port, self.fleet.certificates, user,
                              password, timeout)

    def wait_for_pushes(self, repository):
        """A node that started before the store, or lost it, may still wait to reconnect."""
        client = self.client()
        wait_for(f"{self.name} to take pushes", lambda: client.call(
            "POST", f"/v2/{repository}/blobs/uploads/").status == 202)

    def at(self, host=None):
        return f"{host or self.fleet.host}:{self.registry_port}"


class Fleet:
    """A store, a user 'demo' and a client certificate; add_node() adds nodes."""

    def __init__(self, folder, host="127.0.0.1", names=(), prefix=(), ports=None):
        self.folder = pathlib.Path(folder)
        self.host, self.prefix = host, list(prefix)
        self.names = [host, *names]
        self.nodes = {}
        self.certificates = self.folder / "client"
        self.admin = self.folder / "admin"
        self.fleet_port = free_port()
        self.store = Member(self, "store", STORE, self.folder / "store")

    def start(self):
        self.init_store()
        self.store.start()
        self.control("user", "add", "demo", "--allow", "pull,push", stdin=PASSWORD + "\n")
        self.control("cert", "issue", "desktop", "--out", self.certificates)
        return self

    def init_store(self):
        run(STORE, "init", "--data", self.store.data,
            *(f"--name={name}" for name in dict.fromkeys([*self.names, "127.0.0.1"])),
            "--registry-listen", f"{self.host}:{self.store.registry_port}",
            "--fleet-listen", f"127.0.0.1:{self.fleet_port}",
            "--fleet-address", f"127.0.0.1:{self.fleet_port}",
            "--operations-listen", f"127.0.0.1:{self.store.operations_port}",
            "--admin-out", self.admin, prefix=self.prefix)
        # Tests push faster than one user of a real fleet may.
        with open(self.store.config, "a", encoding="utf-8") as config:
            config.write("changes: {max_rate: 1000000, max_new_repositories: 1000000}\n")

    def control(self, *words, stdin=None, check=True):
        return run(CONTROL, "--profile", self.admin, *words, prefix=self.prefix, stdin=stdin,
                   check=check)

    def control_json(self, *words):
        return json.loads(self.control("-o", "json", *words).stdout)

    def settle(self):
        """Waits until every node, connected or not, has applied the store's head."""
        self.control("wait", "--sequence", str(self.control_json("status")["head_sequence"]), *self.nodes)

    def invite(self, name, *more):
        hosts = [f"--host={host}" for host in self.names]
        return self.control("node", "invite", name, *hosts, *more).stdout.strip()

    def join(self, node, token, check=True):
        return run(NODE, "join", "--data", node.data,
                   "--registry-listen", f"{self.host}:{node.registry_port}",
                   "--operations-listen", f"127.0.0.1:{node.operations_port}",
                   prefix=self.prefix, stdin=token + "\n", check=check)

    def new_node(self, name):
        return Member(self, name, NODE, self.folder / name)

    def add_node(self, name):
        node = self.new_node(name)
        self.join(node, self.invite(name))
        self.nodes[name] = node
        return node.start()

    def certificates_trusting(self, authority):
        """A folder as `certificates`, for servers whose certificate this authority (PEM) issued."""
        folder = self.folder / "trusting"
        shutil.copytree(self.certificates, folder)
        (folder / "ca.crt").write_text(authority)
        return folder

    def members(self):
        return [self.store, *self.nodes.values()]

    def stop(self):
        """Stops all members and reports failures: a non-zero exit code, a sanitizer report."""
        problems = []
        for member in reversed(self.members()):
            ran = member.process is not None
            try:
                code = member.stop()
                if ran and code != 0:
                    problems.append(f"{member.name}: exit code {code}\n{member.log_tail(60)}")
            except AssertionError as error:
                problems.append(str(error))
            if report := SANITIZER_REPORT.search(member.log_text()):
                problems.append(f"{member.name}: {member.log_text()[report.start():][:6000]}")
        if not os.environ.get("OUTPORT_KEEP"):  # set it to look at the data afterwards
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not problems, "\n".join(problems)
