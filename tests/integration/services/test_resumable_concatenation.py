"""Partial uploads, and the final ones that are made of them."""

import asyncio

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.errors import (
    ConflictError,
    ExistsError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from mediatheque.domain.ids import new_id
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    Destination,
    ResumableState,
    ResumableUpload,
)
from mediatheque.services.resumable_creation import NewUpload
from mediatheque.services.resumable_finish import ResumableFinisher
from mediatheque.storage.local import LocalStore
from tests.support.database import a_media, add_medias
from tests.support.resumable import ALICE, BOB, ResumableStage, ending_in, losing_answers
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import open_s3


@pytest.fixture
def stage(database: Database, store: LocalStore) -> ResumableStage:
    return ResumableStage(database, store, most_bytes=1000)


async def cut_short(
    stage: ResumableStage, patch: pytest.MonkeyPatch, *parts: ResumableUpload
) -> ResumableUpload:
    """Return a final upload whose finishing was cut after its bytes were joined."""
    with (
        ending_in(patch, ResumableFinisher, "_record", after=False),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.concatenate(*parts)
    final_id = (await stage.rows(parts[0]))[0].final_id
    return await stage.uploads.peek(ALICE, str(final_id))


async def test_parts_become_one_media_in_the_order_that_is_asked_for(
    stage: ResumableStage,
) -> None:
    parts = [await stage.partial(content) for content in (b"abc", b"", b"de", b"f")]
    assert {one.state for one in parts} == {ResumableState.COMPLETE}
    assert await stage.medias() == []

    final = await stage.concatenate(parts[2], parts[1], parts[0], parts[3])

    assert (final.state, final.size, final.length) == (ResumableState.COMPLETE, 6, 6)
    assert final.concatenation is Concatenation.FINAL
    assert final.parts == (parts[2].id, parts[1].id, parts[0].id, parts[3].id)
    assert await stage.content(final.media_id) == b"deabcf"
    (media,) = await stage.medias()
    assert await stage.objects() == {media.object_key}
    assert await stage.rows(*parts) == []


async def test_on_s3_parts_become_one_media(
    database: Database, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch)
    stage = ResumableStage(database, store)
    final = await cut_short(
        stage, monkeypatch, await stage.partial(b"abc"), await stage.partial(b"def")
    )
    await stage.janitor.sweep()

    await stage.find(final)

    assert await stage.content(final.id) == b"abcdef"
    assert len(await stage.objects()) == 1
    await store.close()


async def test_empty_parts_become_an_empty_media(stage: ResumableStage) -> None:
    final = await stage.concatenate(await stage.partial(b""), await stage.partial(b""))

    assert (final.state, final.size) == (ResumableState.COMPLETE, 0)
    assert await stage.content(final.media_id) == b""


async def test_a_part_may_tell_its_length_later(stage: ResumableStage) -> None:
    part = await stage.append(await stage.create(partial=True), b"abc")
    with pytest.raises(InvalidError, match="3 of an unknown number of bytes"):
        await stage.concatenate(part)

    part = await stage.append(part, length=3)

    assert part.state is ResumableState.COMPLETE
    assert (await stage.concatenate(part)).state is ResumableState.COMPLETE


async def test_what_is_no_finished_part_of_the_caller_is_refused(stage: ResumableStage) -> None:
    part = await stage.partial(b"abc")
    unfinished = await stage.append(await stage.create(3, partial=True), b"ab")
    whole = await stage.append(await stage.create(3), b"abc")
    foreign = await stage.partial(b"abc", BOB)
    given_up = await stage.partial(b"abc")
    await stage.terminate(given_up)

    for other in (unfinished, whole, foreign, given_up, part):
        with pytest.raises(InvalidError):
            await stage.concatenate(part, other)
    for ids in ([], ["x"], [str(part.id), str(new_id())], [str(part.id)] * 2, ["x"] * 1001):
        with pytest.raises(InvalidError):
            await stage.uploads.concatenate(
                ALICE, NewUpload(destination=Destination(filename="a")), ids
            )

    assert (await stage.concatenate(part)).state is ResumableState.COMPLETE


async def test_a_part_belongs_to_one_final_upload(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await stage.partial(b"abc"), await stage.partial(b"def")
    final = await cut_short(stage, monkeypatch, one)

    with pytest.raises(InvalidError, match="a part of another one already"):
        await stage.concatenate(one, two)
    with pytest.raises(ConflictError, match="a part of another one"):
        await stage.terminate(one)
    with pytest.raises(ForbiddenError):
        await stage.append(final, b"x")
    await stage.find(final)
    with pytest.raises(InvalidError):
        await stage.concatenate(one, two)

    assert await stage.content(final.id) == b"abc"


async def test_of_many_that_join_the_same_part_one_does(stage: ResumableStage) -> None:
    shared, *others = [await stage.partial(content) for content in (b"s", b"a", b"b", b"c")]

    answers = await asyncio.gather(
        *(stage.concatenate(shared, other) for other in others),
        *(stage.concatenate(other, shared) for other in others),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, ResumableUpload) for answer in answers) == 1
    assert sum(isinstance(answer, InvalidError) for answer in answers) == 5
    assert len(await stage.medias()) == 1


async def test_parts_that_are_longer_together_than_is_allowed_stay_as_they_are(
    stage: ResumableStage,
) -> None:
    one, two = await stage.partial(b"x" * 600), await stage.partial(b"y" * 600)

    with pytest.raises(TooLargeError):
        await stage.concatenate(one, two)

    assert (await stage.concatenate(one)).state is ResumableState.COMPLETE
    assert (await stage.find(two)).final_id is None


async def test_an_address_that_is_taken_leaves_the_parts_as_they_are(
    stage: ResumableStage,
) -> None:
    part = await stage.partial(b"abc")
    await add_medias(stage.database, a_media(resource="film"))

    with pytest.raises(ExistsError):
        await stage.concatenate(part, resource="film")

    assert (await stage.concatenate(part)).state is ResumableState.COMPLETE


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("finished", [False, True])
async def test_a_concatenation_whose_answer_was_lost_is_repeated(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch, key: str | None, finished: bool
) -> None:
    parts = [await stage.partial(b"abc"), await stage.partial(b"def")]
    with (
        losing_answers(monkeypatch, 2 if finished else 1),
        pytest.raises(UnavailableError),
    ):
        await stage.concatenate(*parts, idempotency_key=key)

    if finished and key is None:
        with pytest.raises(InvalidError):  # nothing tells that it is the same request
            await stage.concatenate(*parts)
    else:
        final = await stage.concatenate(*parts, idempotency_key=key)
        assert final.state is ResumableState.COMPLETE

    (media,) = await stage.medias()
    assert await stage.content(media.id) == b"abcdef"


async def test_another_order_is_another_request(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await stage.partial(b"abc"), await stage.partial(b"def")
    await cut_short(stage, monkeypatch, one, two)

    with pytest.raises(InvalidError):
        await stage.concatenate(two, one)


async def test_a_part_that_is_given_up_while_it_is_joined_is_either(stage: ResumableStage) -> None:
    for _ in range(5):
        part = await stage.partial(b"abc")

        given_up, final = await asyncio.gather(
            stage.terminate(part), stage.concatenate(part), return_exceptions=True
        )

        if given_up is None and isinstance(final, ResumableUpload):
            # The final one was whole first: only the address of the part was left to forget.
            assert await stage.content(final.media_id) == b"abc"
        elif given_up is None:
            assert isinstance(final, InvalidError)
        else:
            assert isinstance(given_up, ConflictError | NotFoundError)
            assert isinstance(final, ResumableUpload)
            assert await stage.content(final.media_id) == b"abc"


@pytest.mark.parametrize("joined", [False, True])
async def test_a_final_upload_that_is_given_up_takes_its_parts_along(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch, joined: bool
) -> None:
    parts = [await stage.partial(b"abc"), await stage.partial(b"def")]
    final = await cut_short(stage, monkeypatch, *parts[: 1 if joined else 2])

    await stage.terminate(final)

    assert await stage.rows(final, *parts) == ([parts[1]] if joined else [])
    if joined:
        await stage.terminate(parts[1])
    assert await stage.objects() == set()


async def test_while_a_final_upload_lives_its_parts_do(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [await stage.partial(b"abc"), await stage.partial(b"def")]
    await stage.age(*parts)
    final = await cut_short(stage, monkeypatch, *parts)

    await stage.uploads.sweep()
    await stage.janitor.sweep()

    assert len(await stage.rows(*parts)) == 2
    assert (await stage.find(final)).state is ResumableState.COMPLETE
    assert await stage.content(final.id) == b"abcdef"


async def test_parts_expire_unless_they_are_joined_just_then(stage: ResumableStage) -> None:
    for _ in range(3):
        part = await stage.partial(b"abc")
        await stage.age(part)

        _, final = await asyncio.gather(
            stage.uploads.sweep(), stage.concatenate(part), return_exceptions=True
        )

        if isinstance(final, ResumableUpload):
            assert await stage.content(final.media_id) == b"abc"
        else:
            assert isinstance(final, InvalidError)
            assert (await stage.rows(part))[0].state is ResumableState.EXPIRED
