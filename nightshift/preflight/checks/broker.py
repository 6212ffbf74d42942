"""Whether the alerts' broker answers and takes the night's topic."""

from nightshift.alerts.address import Broker, broker_from_environment
from nightshift.errors import Retry
from nightshift.preflight.check import Afternoon, Finding, check, counted_as, green, red, yellow

__all__ = ["check_broker"]

ANSWER_S = 8.0


@check("broker", "Broker")
def check_broker(afternoon: Afternoon) -> Finding:
    """Ask the broker for its metadata, and whether the topic of the night could be made. Nothing is made."""
    try:
        broker = broker_from_environment()
    except Retry as error:
        return red(f"{error}", "Start the broker, or say where it is: NIGHTSHIFT_BROKERS.")
    survey = afternoon.context.deployment.surveys[0]
    topic = survey.alerts.topic.format(
        survey=survey.name, night=f"{afternoon.night:%Y%m%d}", ut_day=f"{afternoon.night:%Y%m%d}",
        program_id=survey.alerts.program_id,
    )  # fmt: skip
    return _asked(broker, topic)


def _asked(broker: Broker, topic: str) -> Finding:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    # what it logs would come between the lines of whoever reads the checks
    client = AdminClient({"bootstrap.servers": broker.servers, "log_level": 0, "socket.timeout.ms": 5000})
    try:
        metadata = client.list_topics(timeout=ANSWER_S)
    except KafkaException as error:
        return red(f"{broker.servers} does not answer: {error}", "Start the broker; alerts stay queued until then.")
    topics = counted_as(len(metadata.topics), "topic")
    sentence = f"{broker.servers} answers: {counted_as(len(metadata.brokers), 'broker')}, {topics}"
    if topic in metadata.topics or broker.stand_in:
        return green(sentence, number=len(metadata.brokers), unit="brokers")
    new = NewTopic(topic, num_partitions=1)
    try:
        client.create_topics([new], validate_only=True, request_timeout=ANSWER_S)[topic].result(ANSWER_S)
    except (KafkaException, TimeoutError) as error:
        return yellow(
            f"{sentence}; the topic {topic} may not be made: {error}",
            f"Make the topic {topic}, or let this account make topics.",
        )
    return green(f"{sentence}; {topic} can be made", number=len(metadata.brokers), unit="brokers")
