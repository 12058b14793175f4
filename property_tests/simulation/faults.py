"""What goes wrong by itself: links, machines, the service, its database, clocks, and roles that are withdrawn."""

from property_tests.simulation.cast import DAY_MS
from property_tests.simulation.database import STEPS, Fault
from property_tests.simulation.deeds import Deed, deed
from property_tests.simulation.world import World


@deed(4)
async def cut(world: World, told: Deed) -> str:
    """Cut a line, and leave the link down or not."""
    link = world.link(told.who)
    link.up = told.a % 2 == 0
    link.cut()
    world.struck("line cut")
    return f"the line of {link.person.actor} is cut{'' if link.up else ' and stays down'}"


@deed(4)
async def partition(world: World, told: Deed) -> str:
    """Hold everything that is on the way."""
    link = world.link(told.who)
    link.held = True
    world.struck("partition")
    return f"what {link.person.actor} sends and hears is held on the way"


@deed(7)
async def mend(world: World, told: Deed) -> str:
    """Let one link through again."""
    link = world.link(told.who)
    link.mend()
    return f"the link of {link.person.actor} is whole"


@deed(3)
async def lag(world: World, told: Deed) -> str:
    """Make a link slow, so that documents overtake each other."""
    link = world.link(told.who)
    link.lag_s = (0.2, 2.0, 30.0)[told.a % 3]
    world.struck("lag")
    return f"the link of {link.person.actor} is up to {link.lag_s:g} s late"


@deed(3)
async def lose(world: World, told: Deed) -> str:
    """Lose the next updates without a word."""
    link = world.link(told.who)
    link.losing = 1 + told.a % 3
    world.struck("updates lost")
    return f"the next {link.losing} updates from or to {link.person.actor} get lost"


@deed(4)
async def resend(world: World, told: Deed) -> str:
    """Send an old frame of somebody once more, on a line of its own."""
    link = world.link(told.who)
    if not link.record:
        return f"{link.person.actor} has sent nothing that could come twice"
    frame = link.record[told.a % len(link.record)]
    world.client(link.person).send(frame.document, frame.update)
    world.struck("frame sent again")
    return f"an old frame of {link.person.actor} comes again"


@deed(5)
async def crash_service(world: World, told: Deed) -> str:
    """Kill the service, now or at a step of its next commit."""
    if told.a % 5 == 4:
        world.service_died("now")
        return "the service is killed"
    step = STEPS[told.a % 5]
    world.database.fault = Fault(step, deadly=True)
    return f"the service will die at the step {step!r} of its next commit"


@deed(2)
async def restart_service(world: World, told: Deed) -> str:
    """Have the service end and start in good order."""
    del told
    await world.restart()
    world.struck("service restarted")
    return "the service is restarted"


@deed(5)
async def fail(world: World, told: Deed) -> str:
    """Have the next commit fail; at the last step it is stored, and says that it is not."""
    step = STEPS[told.a % len(STEPS)]
    world.database.fault = Fault(step, deadly=False)
    return f"the database will fail at the step {step!r} of the next commit"


@deed(3)
async def crash_replica(world: World, told: Deed) -> str:
    """Kill a replica; it starts again at once, or when it is next needed."""
    machine = world.machine(told.who)
    await machine.crash()
    world.struck("replica crash")
    if told.a % 2:
        await machine.start()
    return f"{machine.person.actor}'s replica dies{' and starts again' if told.a % 2 else ''}"


@deed(2)
async def reopen(world: World, told: Deed) -> str:
    """Close a replica, and open it."""
    machine = world.machine(told.who)
    await machine.stop()
    await machine.start()
    world.struck("replica restart")
    return f"{machine.person.actor} closes and opens the replica"


@deed(3)
async def back_up(world: World, told: Deed) -> str:
    """Copy a disk."""
    machine = world.machine(told.who)
    await machine.back_up()
    return f"{machine.person.actor} makes a backup"


@deed(2)
async def restore(world: World, told: Deed) -> str:
    """Go on from the backup."""
    machine = world.machine(told.who)
    if not await machine.restore():
        return f"{machine.person.actor} has no backup"
    world.struck("backup restored")
    return f"{machine.person.actor} restores the backup"


@deed(3)
async def days(world: World, told: Deed) -> str:
    """Let days pass while every machine sleeps."""
    count = 1 + told.a % 3
    world.loop.jump(count * DAY_MS / 1000)
    world.struck("days passed")
    return f"{count} days pass"


@deed(3)
async def skew(world: World, told: Deed) -> str:
    """Set a replica's clock by up to three days."""
    machine = world.machine(told.who)
    machine.clock.skew_ms = (told.a % 7 - 3) * DAY_MS
    world.struck("clock set")
    return f"{machine.person.actor}'s clock is {told.a % 7 - 3} days off"


@deed(2)
async def roles(world: World, told: Deed) -> str:
    """Withdraw a role, or give everything back."""
    person = world.machine(told.who).person
    if person.withdrawn:
        person.withdrawn.clear()
        return f"{person.actor} has every role back"
    held = sorted(person.principal.roles)
    person.withdraw(held[told.a % len(held)])
    world.struck("role withdrawn")
    return f"{person.actor} loses the role {held[told.a % len(held)]!r}"
