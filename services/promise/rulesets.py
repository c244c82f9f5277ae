"""What happens to rulesets, one method a question: drafts, versions, and who changed what (SPEC RTE-4, PLT-7).

Only this commits. Acts are done one after the other, under the lock of the terms; each names the revision that its
author has seen, so that nobody's change is lost unseen.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import requests
from kit.errors import InvalidArgument, NotFound
from services.promise import ruleset_checks, ruleset_text, store
from services.promise import rulesets_store as kept
from services.promise.domain import ruleset_versions as versions
from services.promise.domain.ruleset_versions import Act, Change, Draft, Edit, Rulebook, Version
from services.promise.domain.ruleset_words import Difference, differences
from services.promise.domain.rulesets import DEFAULT_ID, Ruleset
from services.promise.ruleset_text import Reading

IN_FORCE, DRAFT = "in_force", "draft"
Content = Ruleset | str
"""A ruleset, or its text form."""


@dataclass(frozen=True, slots=True)
class Published:
    """A new version, and its ruleset as it stands then."""

    version: int
    book: Rulebook


@dataclass(frozen=True, slots=True)
class Checked:
    """What a save would keep, its text, and what differs from what is in force."""

    ruleset: Ruleset
    text: str
    differences: Sequence[Difference]


class Rulesets:
    """One method per RPC."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._at_one_moment = database.execution_options(isolation_level="REPEATABLE READ")

    # -- looking ----------------------------------------------------------------------------------------------

    async def listed(self) -> list[Rulebook]:
        """Every ruleset in id order."""
        async with self._at_one_moment.begin() as tx:
            return list((await kept.rulebooks(tx)).values())

    async def get(self, ruleset_id: str) -> Rulebook:
        """NOT_FOUND / RULESET_NOT_FOUND."""
        async with self._at_one_moment.begin() as tx:
            return _must_exist(await kept.rulebooks(tx), ruleset_id)

    async def list_changes(self, ruleset_id: str, before: int, limit: int) -> list[Change]:
        """Who changed what, below a revision, newest first."""
        async with self._at_one_moment.begin() as tx:
            _must_exist(await kept.rulebooks(tx), ruleset_id)
            return await kept.changes(tx, ruleset_id, before, limit)

    async def compare(self, ruleset_id: str, before: str, after: str, as_of: datetime) -> Sequence[Difference]:
        """What differs; each side is "in_force", "draft" or the number of a version."""
        book = await self.get(ruleset_id)
        return differences(_side(book, before, "before", as_of), _side(book, after, "after", as_of))

    async def check(self, ruleset_id: str, content: Content, as_of: datetime) -> Checked:
        """All that a save would check. Saves nothing."""
        ruleset_checks.ruleset_id(ruleset_id, "ruleset_id")
        reading = await _read(content, ruleset_id)
        async with self._at_one_moment.begin() as tx:
            books = await kept.rulebooks(tx)
        ruleset = _judged(reading, ruleset_id, books, as_of)
        standing = _book(books, ruleset_id).in_force(as_of)
        return Checked(
            ruleset, ruleset_text.write(ruleset), differences(standing.ruleset if standing else None, ruleset)
        )

    async def judged(self, content: Content, as_of: datetime) -> Ruleset:
        """What a save would make the draft of the ruleset that the content names. Saves nothing."""
        reading = await _read(content, DEFAULT_ID)
        async with self._at_one_moment.begin() as tx:
            books = await kept.rulebooks(tx)
        return _judged(reading, reading.ruleset.ruleset_id, books, as_of)

    async def draft(self, ruleset_id: str) -> Ruleset:
        """The open draft. NOT_FOUND / RULESET_NOT_FOUND or NO_DRAFT."""
        return (await self.get(ruleset_id)).the_draft().ruleset

    # -- drafts -----------------------------------------------------------------------------------------------

    async def save_draft(self, edit: Edit, content: Content) -> Rulebook:
        """Opens the draft or replaces it. The revision is that of the edit, or else of the text."""
        reading = await _read(content, edit.ruleset_id)
        edit = replace(edit, ruleset_id=edit.ruleset_id or reading.ruleset.ruleset_id or DEFAULT_ID)
        edit = replace(edit, revision=_seen(edit, reading))
        ruleset_checks.edit(edit)
        async with self._change() as (tx, books):
            book = _book(books, edit.ruleset_id)
            if edit.revision is None and book.exists:
                detail = f"revision: say which one was seen; it is {book.revision} now, by {book.changed_by}"
                raise InvalidArgument("revision", detail, "REVISION_MISSING")
            edit = _after(edit, book)
            ruleset = _judged(reading, edit.ruleset_id, books, edit.as_of)
            if book.draft is not None and book.draft.ruleset == ruleset:
                return book
            book.check_seen(edit.revision)
            standing = book.in_force(edit.as_of)
            before = book.draft.ruleset if book.draft else standing.ruleset if standing else None
            await kept.put_draft(tx, Draft(ruleset, edit.as_of, edit.actor, edit.reason))
            return await _note(tx, book, edit, Act.SAVED, before, ruleset)

    async def discard_draft(self, edit: Edit, content: bytes) -> Rulebook:
        """Throws the draft away; its content stays in the changes."""
        ruleset_checks.edit(edit)
        async with self._change() as (tx, books):
            book = _must_exist(books, edit.ruleset_id)
            if await requests.first_answer(tx, edit.request_id, content) is not None:
                return book
            book.check_seen(edit.revision)
            edit = _after(edit, book)
            draft, standing = book.the_draft(), book.in_force(edit.as_of)
            await kept.close_draft(tx, edit.ruleset_id)
            after = standing.ruleset if standing else None
            return await _note(tx, book, edit, Act.DISCARDED, draft.ruleset, after)

    # -- versions ---------------------------------------------------------------------------------------------

    async def publish_draft(self, edit: Edit, effective_at: datetime | None, content: bytes) -> Published:
        """Makes the draft a version, now or at an instant, and closes it."""
        ruleset_checks.edit(edit)
        async with self._change() as (tx, books):
            book = _must_exist(books, edit.ruleset_id)
            if first := await requests.first_answer(tx, edit.request_id, content):
                return Published(first["version"], book)
            book.check_seen(edit.revision)
            ruleset = book.the_draft().ruleset
            await kept.close_draft(tx, edit.ruleset_id)
            published = await _publish(tx, books, edit, ruleset, effective_at)
            await requests.remember(tx, edit.request_id, {"version": published.version})
            return published

    async def publish(self, edit: Edit, content: Content) -> tuple[Rulebook, Version]:
        """Publishes content at once; the version in force when nothing differs from it. An open draft stays."""
        reading = await _read(content, edit.ruleset_id)
        edit = replace(edit, ruleset_id=edit.ruleset_id or reading.ruleset.ruleset_id or DEFAULT_ID)
        edit = replace(edit, revision=reading.revision)
        ruleset_checks.edit(edit)
        async with self._change() as (tx, books):
            book = _book(books, edit.ruleset_id)
            edit = _after(edit, book)
            ruleset = _judged(reading, edit.ruleset_id, books, edit.as_of)
            standing = book.in_force(edit.as_of)
            if standing is not None and versions.same_figures(standing.ruleset, ruleset):
                return book, standing
            book.check_seen(edit.revision)
            published = await _publish(tx, books, edit, ruleset, None)
            return published.book, published.book.version(published.version)

    async def withdraw(self, edit: Edit, number: int, content: bytes) -> Rulebook:
        """Takes back a version before it becomes effective."""
        ruleset_checks.edit(edit)
        async with self._change() as (tx, books):
            book = _must_exist(books, edit.ruleset_id)
            if await requests.first_answer(tx, edit.request_id, content) is not None:
                return book
            version = book.version(number)
            book.check_seen(edit.revision)
            edit = _after(edit, book)
            versions.check_withdrawable(version, book, edit.as_of)
            left = replace(book, versions=tuple(one for one in book.versions if one != version))
            versions.check_not_needed(left, books, edit.as_of)
            instead = left.in_force(version.effective_at)
            await store.raise_terms_version(tx)
            return await _note(
                tx, book, edit, Act.WITHDRAWN, version.ruleset, instead.ruleset if instead else None, version
            )

    async def roll_back(self, edit: Edit, number: int, effective_at: datetime | None, content: bytes) -> Published:
        """Publishes the content of an older version as a new one. An open draft stays."""
        ruleset_checks.edit(edit)
        async with self._change() as (tx, books):
            book = _must_exist(books, edit.ruleset_id)
            if first := await requests.first_answer(tx, edit.request_id, content):
                return Published(first["version"], book)
            version = book.version(number)
            book.check_seen(edit.revision)
            published = await _publish(tx, books, edit, version.ruleset, effective_at, restored=number)
            await requests.remember(tx, edit.request_id, {"version": published.version})
            return published

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[tuple[AsyncConnection, dict[str, Rulebook]]]:
        """A transaction that nobody else changes terms beside, and the rulesets as they stand in it."""
        async with self._database.begin() as tx:
            await store.lock_terms(tx)
            yield tx, await kept.rulebooks(tx)


async def _publish(
    tx: AsyncConnection,
    books: Mapping[str, Rulebook],
    edit: Edit,
    content: Ruleset,
    asked: datetime | None,
    restored: int = 0,
) -> Published:
    """Writes the next version, if it is right and something differs from what would be in force then."""
    book = _book(books, edit.ruleset_id)
    edit = _after(edit, book)
    effective_at = versions.effective_from(asked, edit.as_of)
    number = 1 + max((one.number for one in book.versions), default=0)
    ruleset = versions.numbered(content, number)
    ruleset_checks.check(ruleset)
    versions.check_replan(ruleset, books, edit.as_of, effective_at)
    standing = book.in_force(effective_at)
    versions.check_differs(ruleset, standing, book)
    version = Version(ruleset, effective_at, edit.as_of, edit.actor, edit.reason, restored)
    await store.raise_terms_version(tx)
    await kept.add_version(tx, version)
    act = Act.ROLLED_BACK if restored else Act.PUBLISHED
    return Published(
        number,
        await _note(tx, book, edit, act, standing.ruleset if standing else None, ruleset, version),
    )


def _after(edit: Edit, book: Rulebook) -> Edit:
    """The edit, no earlier than the change before it: clocks of processes differ, and the later act counts."""
    return edit if book.changed_at is None else replace(edit, as_of=max(edit.as_of, book.changed_at))


async def _note(
    tx: AsyncConnection,
    book: Rulebook,
    edit: Edit,
    act: Act,
    before: Ruleset | None,
    after: Ruleset | None,
    version: Version | None = None,
) -> Rulebook:
    """Keeps who did what, and gives the ruleset as it stands then."""
    change = Change(
        revision=book.revision + 1,
        act=act,
        at=edit.as_of,
        actor=edit.actor,
        reason=edit.reason,
        before=before,
        after=after,
        version=version.number if version else 0,
        effective_at=version.effective_at if version else None,
        restored=version.restored if version and act is Act.ROLLED_BACK else 0,
    )
    await kept.add_change(tx, edit.ruleset_id, change)
    return (await kept.rulebooks(tx))[edit.ruleset_id]


async def _read(content: Content, ruleset_id: str) -> Reading:
    if isinstance(content, str):
        return await asyncio.to_thread(ruleset_text.read, content, ruleset_id)
    named = replace(content, ruleset_id=content.ruleset_id or ruleset_id or DEFAULT_ID)
    return Reading(named, None, {})


def _judged(reading: Reading, ruleset_id: str, books: Mapping[str, Rulebook], as_of: datetime) -> Ruleset:
    """What was read, if it is right as a draft of this ruleset."""
    ruleset = reading.ruleset
    try:
        if ruleset.ruleset_id != ruleset_id:
            field = "ruleset.ruleset_id"
            raise InvalidArgument(field, f"{field}: is not {ruleset_id}, which is asked for", "OTHER_RULESET")
        ruleset_checks.check(ruleset)
        versions.check_replan(ruleset, books, as_of, None)
    except InvalidArgument as error:
        raise (reading.located(error) if reading.places else error) from None
    return versions.numbered(ruleset, 0)


def _seen(edit: Edit, reading: Reading) -> int | None:
    """The revision that the author of a draft has seen, as the request or the text says."""
    if edit.revision is None or reading.revision is None:
        return reading.revision if edit.revision is None else edit.revision
    if edit.revision != reading.revision:
        detail = f"revision: is {edit.revision}, and {reading.revision} in the text"
        raise InvalidArgument("revision", detail, "REVISION_MISMATCH")
    return edit.revision


def _side(book: Rulebook, name: str, field: str, as_of: datetime) -> Ruleset:
    if name == DRAFT:
        return book.the_draft().ruleset
    if name == IN_FORCE:
        standing = book.in_force(as_of)
        if standing is None:
            raise NotFound(
                "NOTHING_IN_FORCE",
                f"ruleset {book.ruleset_id} has no version in force",
                ruleset_id=book.ruleset_id,
            )
        return standing.ruleset
    if not (name.isascii() and name.isdigit() and len(name) < 10):
        raise InvalidArgument(field, f'{field}: must be "{IN_FORCE}", "{DRAFT}" or the number of a version')
    return book.version(int(name)).ruleset


def _book(books: Mapping[str, Rulebook], ruleset_id: str) -> Rulebook:
    return books.get(ruleset_id, Rulebook(ruleset_id))


def _must_exist(books: Mapping[str, Rulebook], ruleset_id: str) -> Rulebook:
    if ruleset_id not in books:
        raise NotFound("RULESET_NOT_FOUND", f"there is no ruleset {ruleset_id}", ruleset_id=ruleset_id)
    return books[ruleset_id]
