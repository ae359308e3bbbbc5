"""Whether the broker keeps a group's offsets for as long as the group's inputs.

Kafka drops them once a group has had no member for `offsets.retention.minutes`, a week by default. The group would then
begin at the start of its inputs, and the note of one that stopped itself (worker/breaker.py) would be gone.
"""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from callbus.topology import Topology

_SETTING = "offsets.retention.minutes"
_MINUTE_MS = 60_000


async def warning(admin: AIOKafkaAdminClient, topology: Topology) -> str | None:
    """What is wrong with it, and what to set; None where nothing is. Raises KafkaError."""
    needed = longest_minutes(topology)
    kept = await kept_minutes(admin)
    if kept is None:
        return (
            f"the broker does not let us read `{_SETTING}` (the right DescribeConfigs on the cluster): see to it "
            f"that it is at least {needed}, or a group that stands still for longer begins anew and does all twice"
        )
    if kept >= needed:
        return None
    return (
        f"the broker has `{_SETTING}={kept}`, and inputs are kept for {needed} minutes: a group that stands still for "
        f"longer than {kept / 1440:.3g} days loses its offsets and begins anew; set it to {needed} or more in "
        "server.properties of every broker"
    )


def longest_minutes(topology: Topology) -> int:
    """For how long the inputs of groups are kept at most, without the compacted ones, which are kept for ever."""
    read = {name for group in topology.groups.values() for name in group.inputs}
    return max((topology.topics[name].retention_ms or 0 for name in read), default=0) // _MINUTE_MS


async def kept_minutes(admin: AIOKafkaAdminClient) -> int | None:
    """The setting of the broker that has the least; None where one does not tell."""
    brokers = [broker["node_id"] for broker in (await admin.describe_cluster())["brokers"]]
    asked = [ConfigResource(ConfigResourceType.BROKER, str(broker), {_SETTING: None}) for broker in brokers]
    answers = [one for response in await admin.describe_configs(asked) for one in response.to_object()["resources"]]
    told = [
        int(entry["config_value"])
        for one in answers
        if not one["error_code"]
        for entry in one["config_entries"]
        if entry["config_names"] == _SETTING
    ]
    return min(told) if told and len(told) == len(brokers) else None
