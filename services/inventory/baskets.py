"""Baskets' use cases (SPEC STK-7). An order takes a basket's units over in `reserving.py`."""

from datetime import datetime

from services.inventory import answers
from services.inventory.answers import HoldAnswer
from services.inventory.domain import baskets, holds, validation
from services.inventory.domain.baskets import HoldBasket
from services.inventory.domain.holds import Reservation
from services.inventory.domain.ledger import Cause
from services.inventory.reserving import ACTOR
from services.inventory.store import image, ledger, reservations
from services.inventory.usecases import UseCases, check, first_answer, no_channel, no_reservation


class Baskets(UseCases):
    """One method per RPC but for giving back, which is as for any reservation."""

    async def hold(self, command: HoldBasket) -> HoldAnswer:
        """Lays aside what the basket is to hold, in the place of what it held."""
        check(validation.identifier("request_id", command.request_id), baskets.check_hold(command))
        name = baskets.reservation_id(command.channel_id, command.basket_id)
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return answers.to_hold(first)
            skus = sorted({line.sku for line in command.lines})
            terms = (await image.terms(tx, [command.channel_id], skus, now=command.as_of)).get(command.channel_id)
            if terms is None:
                raise no_channel(command.channel_id)
            fresh = holds.opened(name, command.channel_id, command.time_to_live_seconds, command.as_of)
            before = (await reservations.open_all(tx, [fresh], [], command.as_of))[0][name]
            book = await ledger.lock(tx, baskets.touched(terms, before, command.lines))
            after, shortfalls = baskets.lay_aside(
                book,
                terms,
                before,
                fresh,
                command.lines,
                Cause("reserve", ACTOR, command.request_id),
                allow_partial=command.allow_partial,
                purpose=command.purpose,
            )
            if before is None and after is None:
                await reservations.drop(tx, [name])
            answer = HoldAnswer(after is not None, after or before, shortfalls)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                reservations=[(before or fresh, after)] if after else (),
                answers=[ledger.Answer(command.request_id, answers.from_hold(answer))],
            )
        return answer

    async def extend(self, channel_id: str, basket_id: str, seconds: int, as_of: datetime) -> Reservation:
        """Gives a basket more time; never less."""
        check(
            validation.name("channel_id", channel_id), baskets.check_id(basket_id), baskets.check_seconds(seconds)
        )
        name = baskets.reservation_id(channel_id, basket_id)
        async with self._change() as tx:
            before = await reservations.lock(tx, name)
            if before is None:
                raise no_reservation(name)
            after = holds.extend(before, seconds, as_of)
            if after != before:
                await ledger.write(tx, reservations=[(before, after)])
        return after
