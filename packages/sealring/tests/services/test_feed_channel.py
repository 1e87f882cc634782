import asyncio

import msgspec

from sealring.protocol.api import Api
from sealring.services.feed_channel import FeedChannel, FeedPlace, SignedMessage

SECRET = b"s" * 32
ORDERS = Api(identifier="orders", scopes={}, secret_digests=(SECRET,), created_at=1)


def message(after: int, number: int) -> SignedMessage:
    event = b"%d-%d" % (after, number)
    return SignedMessage(token="t", event=event, incarnation=b"i", after=after, number=number, empty=after == number)


async def waiting(channel: FeedChannel, place: FeedPlace) -> "asyncio.Task[SignedMessage | None]":
    task = asyncio.create_task(channel.next_message(place))
    await asyncio.sleep(0)
    return task


async def test_a_reader_that_is_level_is_written_to_and_not_woken() -> None:
    channel, written = FeedChannel(ORDERS), list[bytes]()
    place = FeedPlace(7, SECRET, lambda event: not written.append(event))
    task = await waiting(channel, place)
    for after, number in ((7, 9), (9, 9), (9, 10)):
        channel.publish(message(after, number))
        await asyncio.sleep(0)
    assert (written, place.position, task.done()) == ([b"7-9", b"9-9", b"9-10"], 10, False)
    channel.publish(None)
    assert await task is None


async def test_a_reader_whose_connection_is_full_is_woken_with_what_it_could_not_take() -> None:
    channel, written = FeedChannel(ORDERS), list[bytes]()

    def push(event: bytes) -> bool:
        written.append(event)
        return len(written) < 2

    place = FeedPlace(0, SECRET, push)
    task = await waiting(channel, place)
    for number in (1, 2, 3):
        channel.publish(message(number - 1, number))
    assert await task == message(1, 2)
    assert (written, place.position) == ([b"0-1", b"1-2"], 1)


async def test_a_reader_elsewhere_or_without_a_push_is_woken() -> None:
    channel = FeedChannel(ORDERS)
    for place in (FeedPlace(3, SECRET, lambda _: True), FeedPlace(7, SECRET)):
        task = await waiting(channel, place)
        channel.publish(message(7, 8))
        assert await task == message(7, 8)


async def test_a_reader_whose_secret_is_gone_is_written_nothing() -> None:
    channel, written = FeedChannel(ORDERS), list[bytes]()
    task = await waiting(channel, FeedPlace(7, SECRET, lambda event: not written.append(event)))
    channel.api = msgspec.structs.replace(ORDERS, secret_digests=(b"n" * 32,))
    channel.publish(message(7, 8))
    assert (await task, written, channel.holds(SECRET)) == (message(7, 8), [], False)


async def test_a_reader_that_went_away_is_told_nothing() -> None:
    channel, written = FeedChannel(ORDERS), list[bytes]()
    task = await waiting(channel, FeedPlace(7, SECRET, lambda event: not written.append(event)))
    task.cancel()
    await asyncio.wait({task})
    channel.publish(message(7, 8))
    assert not written
