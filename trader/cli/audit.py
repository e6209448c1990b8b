"""`trade audit`: look at the books of another program, and say what is wrong with them; nothing is changed."""

from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from trader.audit.auditing import Wanted
from trader.audit.page import page_of, plotly_script
from trader.audit.report import report_of
from trader.audit.telling import lines_of
from trader.audit.words import Audit
from trader.cli.foreign import audited, existing, foreign_options
from trader.cli.options import file_path
from trader.exits import Exit, Mistake


@click.command("audit")
@foreign_options
@click.option("--earlier", metavar="FILE", help="An earlier copy: which rows are gone since?")
@click.option("--html", metavar="FILE", help="Write the report as a page with charts, too.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(wanted: Wanted, earlier: str | None, html: str | None, as_json: bool) -> int:
    """Audit the books of another program: exit 0 where they are sound, 1 where something is wrong."""
    page = None if html is None else file_path(html, "--html")
    if earlier is not None:
        wanted = replace(wanted, earlier=existing(earlier, "--earlier"))
    found = audited(wanted)
    if page is not None:
        _write_page(page, found)
    if as_json:
        click.echo(msgspec.json.encode(report_of(found)).decode())
    else:
        for line in lines_of(found):
            click.echo(line)
    return int(Exit.DIFFERENCES if found.findings else Exit.WELL)


def _write_page(path: Path, found: Audit) -> None:
    text = page_of(found, plotly_script())
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Mistake(f"can't be written: {error.strerror}", where=f"--html {path}") from None
