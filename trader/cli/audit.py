"""`trade audit`: look at the books of another program, and say what is wrong with them; nothing is changed."""

import click
import msgspec
from msgspec.structs import replace

from trader.audit.auditing import Wanted
from trader.audit.page import page_of
from trader.audit.report import report_of
from trader.audit.telling import lines_of
from trader.cli.foreign import audited, existing, foreign_options
from trader.cli.options import new_file, write_page
from trader.exits import Exit
from trader.pages import plotly_script


@click.command("audit")
@foreign_options
@click.option("--earlier", metavar="FILE", help="An earlier copy: which rows are gone since?")
@click.option("--html", metavar="FILE", help="Write the report as a new page with charts, too.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(wanted: Wanted, earlier: str | None, html: str | None, as_json: bool) -> int:
    """Audit the books of another program: exit 0 where they are sound, 1 where something is wrong."""
    page = None if html is None else new_file(html, "--html")
    if earlier is not None:
        wanted = replace(wanted, earlier=existing(earlier, "--earlier"))
    found = audited(wanted)
    if page is not None:
        write_page(page, page_of(found, plotly_script()))
    if as_json:
        click.echo(msgspec.json.encode(report_of(found)).decode())
    else:
        for line in lines_of(found):
            click.echo(line)
    return int(Exit.DIFFERENCES if found.findings else Exit.WELL)
