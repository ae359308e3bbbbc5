"""The broker's topics compared with topology.yaml, like a plan, and the plan carried out."""

from callbus.topics.cluster import apply, connected, hidden, lanes_of, read
from callbus.topics.plan import BrokerState, BrokerTopic, Plan, plan

__all__ = ["BrokerState", "BrokerTopic", "Plan", "apply", "connected", "hidden", "lanes_of", "plan", "read"]
