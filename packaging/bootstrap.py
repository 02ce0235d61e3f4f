# -*- coding: utf-8 -*-
"""Make this checkout's own .venv, install everything into it, and run one of its verbs.

    python3 packaging/bootstrap.py VERB [ARGUMENTS…]      (Windows: py packaging\\bootstrap.py …)

    install   only the environment
    demo      a synthetic hospital against the platform twin
    test      the test suite; arguments go to pytest
    bench     the benchmarks, JSON lines; arguments choose some (`check`)
    check     static checks; arguments choose some (`format lint types layers`)

Written so that any Python can parse it (no annotations, no f-strings): a Python that is too old
then says what is missing in one sentence instead of a syntax error. An environment that is active
in the caller's shell is neither used nor changed. A second run that finds nothing new starts at
once; `.venv/dipgate-install.json`, written last, says what is installed.
"""

from __future__ import print_function, unicode_literals

# ruff: noqa: RUF005 -- unpacking inside a list is younger than some of the readers
import hashlib
import io
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "dipgate-install.json")
LOG = os.path.join(VENV, "dipgate-install.log")
OLDEST = (3, 11)
NEWEST_TRIED = 14
PACKAGE_FOLDERS = ("adapters", "config", "gateway", "pregrouper", "sync", "validators")
VERBS = ("install", "demo", "test", "bench", "check")
DEMO = ["--cases", "2000", "--exit"]
CHECKS = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types", ["mypy"]),
    ("layers", ["lint-imports"]),
)
UNUSABLE = 2

PROBE = (
    "import json, sys\n"
    "facts = {'version': list(sys.version_info[:3])}\n"
    "for name in ('venv', 'ensurepip', 'ssl'):\n"
    "    try:\n"
    "        __import__(name)\n"
    "        facts[name] = True\n"
    "    except ImportError:\n"
    "        facts[name] = False\n"
    "print(json.dumps(facts))\n"
)
OFFLINE_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Could not fetch URL",
    "No matching distribution found",
)


class Missing(Exception):
    """Something this machine must have first; the text is one sentence, Chinese (English)."""


def sentence(chinese, english):
    return chinese + "（" + english + "）"


def say(text):
    """One line on stderr; a console that cannot show Chinese gets what it can."""
    line = text + "\n"
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    data = line.encode(encoding, "backslashreplace")
    stream = getattr(sys.stderr, "buffer", sys.stderr)
    sys.stderr.flush()
    stream.write(data)
    stream.flush()


def child_environment(given):
    """The caller's environment without an active venv, foreign import paths and pip targets."""
    env = dict(given)
    for name in (
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "CONDA_PREFIX",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
        "__PYVENV_LAUNCHER__",
    ):
        env.pop(name, None)
    # Otherwise the folders of this checkout (config, sync…) could be imported by accident.
    env["PYTHONSAFEPATH"] = "1"
    env["PYTHONUTF8"] = "1"
    return env


def probe(interpreter, env):
    """What an interpreter can do, or None when it does not run."""
    try:
        process = subprocess.Popen(
            [interpreter, "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        out = process.communicate()[0]
        return json.loads(out.decode("utf-8")) if process.returncode == 0 else None
    except (OSError, ValueError):
        return None


def found_on_path(name, env):
    for folder in env.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name)
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def candidates(env):
    """Interpreters to try: the running one, then newer ones beside it on PATH."""
    yield sys.executable
    for minor in range(NEWEST_TRIED, OLDEST[1] - 1, -1):
        name = "python3.%d" % minor + (".exe" if os.name == "nt" else "")
        path = found_on_path(name, env)
        if path:
            yield path


def lack_of(facts):
    """What an interpreter lacks to make our environment, as one sentence; None when nothing."""
    version = tuple(facts["version"])
    if version[:2] < OLDEST:
        return sentence(
            "需要 Python %d.%d 或更新版本，当前是 %d.%d.%d，请安装后再运行" % (OLDEST + version),
            "Python %d.%d or later is needed; this is %d.%d.%d" % (OLDEST + version),
        )
    package = "python%d.%d-venv" % version[:2]
    if not facts["venv"]:
        return sentence(
            "这个 Python 缺少 venv 模块，Debian/Ubuntu 请安装 %s" % package,
            "this Python has no venv module; on Debian/Ubuntu install %s" % package,
        )
    if not facts["ensurepip"]:
        return sentence(
            "这个 Python 缺少 pip（ensurepip），Debian/Ubuntu 请安装 %s" % package,
            "this Python has no pip (ensurepip); on Debian/Ubuntu install %s" % package,
        )
    if not facts["ssl"]:
        return sentence(
            "这个 Python 没有 ssl 模块，无法下载依赖，请换用带 OpenSSL 的 Python",
            "this Python has no ssl module and cannot download anything",
        )
    return None


def choose_interpreter(env):
    """The first interpreter that can make our environment; Missing tells what they lack."""
    first_lack = None
    for interpreter in candidates(env):
        facts = probe(interpreter, env)
        if facts is None:
            continue
        lack = lack_of(facts)
        if lack is None:
            return interpreter
        first_lack = first_lack or lack
    raise Missing(
        first_lack
        or sentence("没有能运行的 Python 3.11 或更新版本", "no Python 3.11 or later runs here")
    )


def in_venv(name):
    """The path of a program of our environment."""
    if os.name == "nt":
        return os.path.join(VENV, "Scripts", name + ".exe")
    return os.path.join(VENV, "bin", name)


def digest_of(paths):
    total = hashlib.sha256()
    for path in paths:
        with io.open(path, "rb") as stream:
            total.update(hashlib.sha256(stream.read()).digest())
    return total.hexdigest()


def package_files():
    """Names of all files of the package folders: a strict install knows only those it saw."""
    names = []
    for top in PACKAGE_FOLDERS:
        for folder, inner, files in os.walk(os.path.join(ROOT, top)):
            inner[:] = sorted(name for name in inner if name != "__pycache__")
            where = os.path.relpath(folder, ROOT).replace(os.sep, "/")
            names.extend(where + "/" + name for name in sorted(files))
    return names


def wanted_stamp(strict):
    listing = "\n".join(package_files()) if strict else ""
    return {
        "root": ROOT,
        "settings": digest_of([os.path.join(ROOT, "pyproject.toml"), os.path.abspath(__file__)]),
        "strict": strict,
        "files": hashlib.sha256(listing.encode("utf-8")).hexdigest(),
    }


def read_stamp():
    try:
        with io.open(STAMP, encoding="utf-8") as stream:
            held = json.load(stream)
            return held if isinstance(held, dict) else None
    except (IOError, OSError, ValueError):
        return None


def has_link_tree():
    """A strict install is a tree of links in build/; whoever deletes it breaks the install."""
    build = os.path.join(ROOT, "build")
    return os.path.isdir(build) and any(
        name.startswith("__editable__") for name in os.listdir(build)
    )


def is_current(held, strict):
    """True when what is installed serves; a strict install serves for everything."""
    if held is None or not os.path.exists(in_venv("python")):
        return False
    if strict and not held.get("strict"):
        return False
    if held.get("strict") and not has_link_tree():
        return False
    return held == wanted_stamp(bool(held.get("strict")))


def run_logged(command, env, mode):
    """Run with output into the log; returns the exit code."""
    with io.open(LOG, mode) as log:
        return subprocess.call(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)


def make_venv(env, held):
    """Make .venv when it is absent, broken, too old, or was made for another folder."""
    if os.path.isdir(VENV) and not os.path.isfile(os.path.join(VENV, "pyvenv.cfg")):
        if os.listdir(VENV):
            raise Missing(
                sentence(
                    "%s 已存在但不是虚拟环境，请改名或删除后再运行" % VENV,
                    "%s exists and is no virtual environment; move it away" % VENV,
                )
            )
    facts = probe(in_venv("python"), env) if os.path.exists(in_venv("python")) else None
    if facts is not None and lack_of(facts) is None and held_here(held):
        return
    interpreter = choose_interpreter(env)
    say("正在建立 .venv（%s）…" % interpreter)
    if not os.path.isdir(VENV):
        os.makedirs(VENV)
    code = run_logged([interpreter, "-I", "-m", "venv", "--clear", VENV], env, "ab")
    if code != 0 or not os.path.exists(in_venv("python")):
        raise Missing(
            sentence(
                "建立虚拟环境 %s 失败，请确认磁盘可写、已安装 python3-venv" % VENV,
                "cannot make the virtual environment; is the disk writable, python3-venv there?",
            )
        )


def held_here(held):
    """False when the stamp says that the environment was made for another folder."""
    return held is None or held.get("root") == ROOT


def install(strict, env):
    """Bring .venv up to date. Idempotent; the stamp is written last, so a cut run starts over."""
    held = read_stamp()
    if is_current(held, strict):
        return
    make_venv(env, held)
    strict = strict or bool(held and held.get("strict") and held_here(held))
    if os.path.exists(STAMP):
        os.remove(STAMP)
    wanted = wanted_stamp(strict)
    say("正在安装 dipgate 及其依赖到 .venv（首次需要联网，约一两分钟）…")
    command = [in_venv("python"), "-I", "-m", "pip", "install", "--disable-pip-version-check"]
    if strict:
        command += ["--config-settings", "editable_mode=strict"]
    code = run_logged(command + ["-e", ".[dev]"], env, "wb")
    if code != 0:
        raise Missing(why_pip_failed())
    with io.open(STAMP + ".new", "w", encoding="utf-8") as stream:
        text = json.dumps(wanted, indent=1, sort_keys=True)
        stream.write(text if isinstance(text, type("")) else text.decode("ascii"))
    os.rename(STAMP + ".new", STAMP)


def why_pip_failed():
    with io.open(LOG, encoding="utf-8", errors="backslashreplace") as stream:
        text = stream.read()
    if any(sign in text for sign in OFFLINE_SIGNS):
        return sentence(
            "连不上软件包索引，依赖没有装上；可用 PIP_INDEX_URL 指定镜像，"
            "或用 PIP_FIND_LINKS 和 PIP_NO_INDEX=1 指定离线包目录",
            "no package index reached; name a mirror with PIP_INDEX_URL, or a folder of wheels "
            "with PIP_FIND_LINKS and PIP_NO_INDEX=1",
        )
    for line in text.splitlines()[-12:]:
        say("  " + line)
    return sentence(
        "依赖没有装上，全部输出见 %s" % LOG, "installation failed; the whole output is in %s" % LOG
    )


class OneAtATime(object):
    """Two verbs started at once install one after the other (where files can be locked so)."""

    def __enter__(self):
        self.stream = io.open(os.path.join(ROOT, "pyproject.toml"), "rb")
        try:
            import fcntl

            fcntl.flock(self.stream, fcntl.LOCK_EX)
        except (ImportError, IOError, OSError):
            pass
        return self

    def __exit__(self, *_):
        self.stream.close()


def commands_of(verb, arguments):
    """The commands that a verb runs, one after the other; Missing for an unknown check."""
    python = in_venv("python")
    if verb == "demo":
        return [[in_venv("dipgate"), "demo"] + (arguments or DEMO)]
    if verb == "test":
        return [[in_venv("pytest")] + arguments]
    if verb == "bench":
        return [[python, os.path.join(ROOT, "tests", "benchmarks", "__main__.py")] + arguments]
    if verb == "check":
        known = [name for name, _ in CHECKS]
        unknown = [name for name in arguments if name not in known]
        if unknown:
            raise Missing(
                sentence(
                    "没有名为 %s 的检查，可选：%s" % (unknown[0], " ".join(known)),
                    "no such check; there are: %s" % " ".join(known),
                )
            )
        return [
            [in_venv(command[0])] + command[1:]
            for name, command in CHECKS
            if not arguments or name in arguments
        ]
    return []


def run(command, env):
    """Run in the checkout with our terminal; Ctrl-C goes to the child, whose code is ours."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue


def main(arguments):
    if not arguments or arguments[0] not in VERBS:
        say(__doc__)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else UNUSABLE
    verb, rest = arguments[0], arguments[1:]
    env = child_environment(os.environ)
    try:
        commands = commands_of(verb, rest)
        with OneAtATime():
            install(verb == "check", env)
    except Missing as missing:
        say("错误：" + missing.args[0])
        return UNUSABLE
    worst = 0
    for command in commands:
        if verb == "check":
            say("$ " + " ".join([os.path.basename(command[0])] + command[1:]))
        # Every check is run, so that one look shows all there is to mend.
        worst = max(worst, run(command, env))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
