"""Declare and release units (SPEC STK-6): the balance and its declarations change together."""

from kit.db import AsyncConnection
from kit.errors import InvalidArgument, NotFound
from services.inventory import answers
from services.inventory.answers import Declared
from services.inventory.domain import commands, declarations, validation
from services.inventory.domain.declarations import Declaration
from services.inventory.domain.ledger import Position
from services.inventory.store import declarations as store
from services.inventory.store import ledger
from services.inventory.usecases import UseCases, check, first_answer


class Declaring(UseCases):
    """The use cases behind DeclareUnavailable and ReleaseUnavailable."""

    async def declare(self, command: commands.DeclareUnavailable) -> Declared:
        """Opens the request's declaration. Raises NOT_ON_HAND."""
        check(
            validation.identifier("request_id", command.request_id),
            validation.sku("sku", command.sku),
            validation.name("point_id", command.point_id),
            validation.quantity("quantity", command.quantity),
            validation.check_cause(command.cause),
        )
        position = Position(command.sku, command.point_id)
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return answers.to_declared(first)
            book = await ledger.lock(tx, [position])
            opened = declarations.opened(
                command.request_id,
                position,
                command.quantity,
                command.reason,
                command.cause.actor,
                command.cause.source,
                command.as_of,
            )
            balance = declarations.declare(book, opened, command.cause)
            answer = Declared(balance, (opened,))
            await store.save(tx, answer.declarations)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                answers=[ledger.Answer(command.request_id, answers.from_declared(answer))],
            )
        return answer

    async def release(self, command: commands.ReleaseUnavailable) -> Declared:
        """Gives units back, of one declaration or of the position's oldest. Raises NOT_UNAVAILABLE."""
        check(
            validation.identifier("request_id", command.request_id),
            validation.check_cause(command.cause),
        )
        _check_target(command)
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return answers.to_declared(first)
            position = await _position(tx, command)
            book = await ledger.lock(tx, [position])
            if command.declaration_id:
                changed = declarations.release_one(
                    book,
                    await _must_find(tx, command.declaration_id),
                    command.quantity,
                    command.cause,
                    command.as_of,
                )
            else:
                declared = (await store.open_at(tx, [position]))[position]
                changed = declarations.release_at(
                    book, position, declared, command.quantity, command.cause, command.as_of
                )
            answer = Declared(book.balance(position), changed)
            await store.save(tx, changed)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                answers=[ledger.Answer(command.request_id, answers.from_declared(answer))],
            )
        return answer


def _check_target(command: commands.ReleaseUnavailable) -> None:
    if not command.declaration_id:
        check(
            validation.sku("sku", command.sku),
            validation.name("point_id", command.point_id),
            validation.quantity("quantity", command.quantity),
        )
        return
    check(validation.identifier("declaration_id", command.declaration_id))
    if command.quantity:
        check(validation.quantity("quantity", command.quantity))
    for field in ("sku", "point_id"):
        if getattr(command, field):
            raise InvalidArgument(field, "the declaration says where; leave it empty")


async def _position(tx: AsyncConnection, command: commands.ReleaseUnavailable) -> Position:
    # Where a declaration lies never changes: it may be read before its balance is locked.
    if command.declaration_id:
        return (await _must_find(tx, command.declaration_id)).position
    return Position(command.sku, command.point_id)


async def _must_find(tx: AsyncConnection, declaration_id: str) -> Declaration:
    found = await store.one(tx, declaration_id)
    if found is None:
        raise no_declaration(declaration_id)
    return found


def no_declaration(declaration_id: str) -> NotFound:
    """There is none of this id."""
    return NotFound("DECLARATION_NOT_FOUND", "there is no such declaration", declaration_id=declaration_id)
