"""`crdt-sync user`: local users, for firms without an identity provider.

A running service follows within two seconds, open connections included.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.adapters.passwords import Argon2Passwords
from crdt_sync.cli.options import setting
from crdt_sync.cli.ticket import SharedOptions
from crdt_sync.domain.access import GATEWAY
from crdt_sync.domain.ids import NAME_PATTERN, USER_PATTERN, ActorId, Department, Role
from crdt_sync.errors import Conflict, Malformed, NotFound
from crdt_sync.ports.users import User
from crdt_sync.server import bootstrap, database
from crdt_sync.server.auth import ROLES_MAX
from crdt_sync.server.settings import load
from crdt_sync.service.sign_in import as_typed, every_role

PASSWORD_CHARACTERS_MIN = 12
PASSWORD_CHARACTERS_MAX = 1_024

app = typer.Typer(
    name="user", cls=SharedOptions, help="Local users, who sign in with a password.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The name to sign in with, and the `sub` of the user's tokens.")]
FromStdin = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input, not the terminal.")]


@app.callback()
def place(
    context: typer.Context,
    data: Annotated[Path | None, setting("data")] = None,
    database_url: Annotated[str | None, setting("database_url")] = None,
) -> None:
    """Take the options that all commands share."""
    context.obj = load(data=data, database_url=database_url)


@app.command()
def add(
    context: typer.Context,
    name: Name,
    *,
    department: Annotated[str, typer.Option(help="The user's department.")],
    role: Annotated[list[str] | None, typer.Option(help="A role beside the department's; may be repeated.")] = None,
    stdin: FromStdin = False,
) -> None:
    """Add a user; the password is asked for. From the first on, nobody enters the consoles without a password."""
    if not USER_PATTERN.fullmatch(name):
        raise Malformed(
            f"{name!r} is no name of a user.",
            code="name",
            advice="Use lowercase letters, digits and . _ - @, up to 64.",
        )
    user = User(ActorId(name), _department(department), _roles(department, role), _hashed(name, stdin=stdin))
    if not bootstrap.run(_add(context.obj.url, user)):
        raise Conflict(f"There is a user {name} already.", code="user_exists", advice="Change it, or choose another.")
    typer.echo(_described(user))


@app.command("list")
def show(context: typer.Context) -> None:
    """List all users."""
    for user in bootstrap.run(_users(context.obj.url)):
        typer.echo(_described(user))


@app.command()
def disable(context: typer.Context, name: Name) -> None:
    """Let a user in no more; open connections are closed."""
    _amend(context, name, disabled=True)


@app.command()
def enable(context: typer.Context, name: Name) -> None:
    """Let a user in again, who has to sign in anew."""
    _amend(context, name, disabled=False)


@app.command()
def move(
    context: typer.Context,
    name: Name,
    *,
    department: Annotated[str, typer.Option(help="The user's department from now on.")],
    role: Annotated[list[str] | None, typer.Option(help="A role beside the department's; may be repeated.")] = None,
) -> None:
    """Give a user this department and these roles in place of those before; the user has to sign in anew."""
    _amend(context, name, department=_department(department), roles=_roles(department, role))


@app.command()
def set_password(context: typer.Context, name: Name, *, stdin: FromStdin = False) -> None:
    """Set another password; the user has to sign in anew everywhere."""
    _amend(context, name, password_hash=_hashed(name, stdin=stdin))


def _department(name: str) -> Department:
    if not NAME_PATTERN.fullmatch(name) or name == GATEWAY:
        raise Malformed(f"{name!r} is no department of people.", code="department", advice="Name a lane's owner.")
    return Department(name)


def _roles(department: str, roles: Sequence[str] | None) -> tuple[Role, ...]:
    wrong = [role for role in roles or () if not NAME_PATTERN.fullmatch(role)]
    if wrong:
        raise Malformed(f"{wrong[0]!r} is no role.", code="role", advice="Name one of the lifecycle's file.")
    every = every_role(Department(department), [Role(role) for role in roles or ()])
    if len(every) > ROLES_MAX:
        raise Malformed(f"A token has room for {ROLES_MAX} roles.", code="role", advice="Name fewer.")
    return every


def _hashed(name: str, *, stdin: bool) -> str:
    """Read a password where nobody else sees it, and return its hash."""
    if stdin:
        typed = sys.stdin.readline().rstrip("\r\n")
    else:
        typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    password = as_typed(typed)
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX or name in password.lower():
        raise Malformed(
            "This password will not do.",
            code="password",
            advice=f"Take {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters, without the user's name.",
        )
    return Argon2Passwords().hash(password)


def _amend(context: typer.Context, name: str, **changes: object) -> None:
    typer.echo(_described(bootstrap.run(_amended(context.obj.url, ActorId(name), changes))))


async def _amended(url: str, name: ActorId, changes: dict[str, object]) -> User:
    """Change the user first, so that no new session begins with what was, and then end what began before."""
    amend = partial(replace, **changes)  # of its fields, which the commands above name
    async with database.opened(url) as store:
        user = await store.amend_user(name, amend)
        if user is None:
            raise NotFound(f"There is no user {name}.", code="unknown_user", advice="`crdt-sync user list` shows them.")
        now_ms = SystemClock().now_ms()
        await store.restrict(name, partial(replace, valid_from_ms=now_ms), now_ms)
    return user


async def _add(url: str, user: User) -> bool:
    async with database.opened(url) as store:
        return await store.add_user(user)


async def _users(url: str) -> Sequence[User]:
    async with database.opened(url) as store:
        return await store.users()


def _described(user: User) -> str:
    state = ", disabled" if user.disabled else ""
    return f"{user.name}: of {user.department}, roles {', '.join(user.roles)}{state}"
