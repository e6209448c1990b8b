"""`trade doctor`: is everything fit to trade with, and which command mends what is not."""

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec
import trio

from trader import doctor
from trader.alarm_command import check_program
from trader.brokers.alpaca import ReadOnlyAlpacaBroker
from trader.build import running_build
from trader.cli.keys import credentials
from trader.cli.loopback import loopback
from trader.cli.options import Common, common_options, read_config, stated_at
from trader.cli.visits import Whom, broker_options
from trader.config import BrokerName, ConfigError
from trader.credentials import Credentials
from trader.doctor import Finding, Verdict
from trader.exits import Exit, Mistake, StartRefused
from trader.live.alpaca import LIVE, PAPER, Addresses, local
from trader.log.words import visible
from trader.ports import BrokerRefused, BrokerUnavailable

BROKER_PATIENCE_S = 20.0


@click.command("doctor")
@common_options
@broker_options
def command(common: Common, whom: Whom) -> int:
    """Look at everything a start depends on; exit code 3 where something fails."""
    findings: list[Finding] = []
    for finding in _findings(common, whom):
        findings.append(finding)
        if not common.json:
            _say(finding)
    if common.json:
        click.echo(msgspec.json.encode(findings).decode())
    failed = any(one.verdict is Verdict.FAIL for one in findings)
    return Exit.REFUSED if failed else Exit.WELL


def _say(finding: Finding) -> None:
    remedy = f"  -> {finding.remedy}" if finding.remedy else ""
    click.echo(
        f"{finding.verdict:<4}  {finding.check:<13} {visible(finding.what)}{visible(remedy)}"
    )


def _findings(common: Common, whom: Whom) -> Iterator[Finding]:
    build = running_build()
    try:
        config = read_config(common)
        name = config.broker
        yield doctor.ok("configuration", str(common.config or "defaults"))
        if config.alarm.command:
            yield _alarms(config.alarm.command, stated_at(common.config, "alarm.command"))
    except ConfigError as error:
        name = BrokerName.SIMULATED
        yield doctor.fail("configuration", f"{error.where}: {error.what}", error.remedy)
    name = BrokerName(whom.broker) if whom.broker else name
    is_real = name is not BrokerName.SIMULATED
    folder = common.database.parent
    yield doctor.clock(time.time_ns())
    yield doctor.disk(shutil.disk_usage(folder).free, folder)
    yield doctor.commit(build, is_real=is_real, is_live=name is BrokerName.ALPACA_LIVE)
    yield from doctor.of_books(common.database, build.identity)
    if is_real or whom.address or whom.keys:
        yield from _of_broker(name, whom, common.database)


def _alarms(command: Sequence[str], where: str) -> Finding:
    try:
        check_program(command, where)
    except Mistake as error:
        return doctor.fail("alarms", f"{error.where}: {error.what}", "install it, or name another")
    return doctor.ok("alarms", f"are told to {command[0]}")


def _of_broker(name: BrokerName, whom: Whom, database: Path) -> Iterator[Finding]:
    try:
        found = credentials(whom.keys)
    except Mistake as error:
        yield doctor.fail("credentials", f"{error.where}: {error.what}", error.remedy)
        return
    yield doctor.ok("credentials", f"key {found.key[:4]}..., secret hidden")
    own = LIVE if name is BrokerName.ALPACA_LIVE else PAPER
    addresses = own if whom.address is None else local(loopback(whom.address))
    yield from trio.run(_asked, addresses, found, name, database)


async def _asked(
    addresses: Addresses, credentials: Credentials, name: BrokerName, database: Path
) -> list[Finding]:
    try:
        with trio.fail_after(BROKER_PATIENCE_S):
            async with ReadOnlyAlpacaBroker(
                base_url=addresses.trading,
                stream_url=addresses.trading_stream,
                credentials=credentials,
                name=name.value,
                market_ns=time.time_ns,
            ) as broker:
                account = await broker.identify()
                before_ns = time.time_ns()
                broker_ns = await broker.clock_ns()
                between_ns = (before_ns + time.time_ns()) // 2
                held = await broker.holdings()
    except (BrokerRefused, BrokerUnavailable, StartRefused, ValueError, trio.TooSlowError) as error:
        what = f"{addresses.trading}: {str(error) or 'no answer'}"
        return [doctor.fail("broker", what, "check the address, the keys and the network")]
    is_own = addresses not in (LIVE, PAPER)
    return [
        doctor.ok("broker", f"{addresses.trading} answers, account {account}"),
        doctor.own_clock(broker_ns) if is_own else doctor.skew(broker_ns, between_ns),
        doctor.holdings(database, held),
    ]
