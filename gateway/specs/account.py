"""An account on a described platform, put together: its channel, its sender and its contents."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from crdt_sync.errors import Malformed
from gateway.accounts import DescribedAccount
from gateway.platforms.addresses import ToldAddresses
from gateway.platforms.http import PlatformHttp
from gateway.platforms.tokens import AccessToken
from gateway.ports import Clock
from gateway.specs import model
from gateway.specs.channel import Described
from gateway.specs.lint import Proven
from gateway.specs.model import Spec
from gateway.specs.sender import DescribedMedia, DescribedSender, Ends, Line, origins_of
from gateway.specs.signature import key_of


@dataclass(frozen=True, slots=True)
class DescribedLine:
    """What answers, as far as the spec describes it."""

    sender: DescribedSender | None
    media: DescribedMedia | None
    token: AccessToken | None


def described(account: DescribedAccount, spec: Proven, tolerance_s: int) -> Described:
    """The channel of an account.

    Raises:
        Malformed: a secret is missing or of the wrong form, or the account has not what the spec asks for.
    """
    needs = [*(set(spec.spec.secrets) ^ account.secrets.keys()), *(set(spec.spec.fields) ^ account.fields.keys())]
    needs += account.previous_secrets.keys() - set(spec.spec.secrets)
    if needs:
        raise Malformed(
            f"The account {account.account} and the spec of {spec.spec.channel} disagree about {min(needs)}.",
            code="account",
            advice=f"`secrets` are {_listed(spec.spec.secrets)}, and `fields` {_listed(spec.spec.fields)}.",
        )
    origins_of(spec.spec, account.origins)
    secrets = secrets_of(account)
    current = secrets[0]
    for given in secrets:
        _check_keys(spec.spec, given)
    if spec.spec.samples.secrets.items() & current.items():
        raise Malformed(
            f"A secret of the account {account.account} stands in the samples of its spec.",
            code="secret",
            advice="Have the platform issue another, and sign the samples with one that is made up.",
        )
    fields = {**account.fields, "id": account.account}
    return Described(account.account, spec.spec, spec.digest, secrets, fields, tolerance_s)


def secrets_of(account: DescribedAccount) -> tuple[dict[str, str], ...]:
    """The sets of an account's secrets as they are now, the current first; raises `Malformed` if one is not there."""
    current = {name: read() for name, read in account.secrets.items()}
    previous = {name: read() for name, read in account.previous_secrets.items()}
    return (current, {**current, **previous}) if previous else (current,)


def described_line(
    account: DescribedAccount,
    spec: Spec,
    http: PlatformHttp,
    reply_to: Callable[[str, str], Awaitable[str | None]],
    clock: Clock,
) -> DescribedLine:
    """The rest of it."""
    origins = origins_of(spec, account.origins)
    ends = Ends({**account.fields, "id": account.account}, origins, account.secrets)
    outbound, media = spec.outbound, spec.media
    line = Line(outbound.auth if outbound is not None else None, ends, http, clock)
    # An account that has other hosts, as a test has, is told addresses of these.
    own = tuple(account.origins.values())
    sender = None
    if outbound is not None:
        told = ToldAddresses(http, (*outbound.told, *own))
        sender = DescribedSender(account.account, outbound, line, told, reply_to, clock)
    contents = None
    if media is not None:
        contents = DescribedMedia(media, line, http, ToldAddresses(http, (*media.told, *own)))
    return DescribedLine(sender, contents, line.token)


def _check_keys(spec: Spec, secrets: dict[str, str]) -> None:
    for rule in (spec.inbound.verify, *(one.verify for one in spec.inbound.handshake)):
        key: model.Key | None = rule.key if rule is not None else None
        if key is not None:
            try:
                key_of(key, secrets[key.secret])
            except ValueError:
                raise Malformed(f"The secret {key.secret} is not base64.", code="secret") from None


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
