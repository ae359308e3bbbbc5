"""A new model over past calls from Kafka, and how its judgements differ from those that stand there. Only reads.

`survey` finds the calls of a period and what was said of them live, `judging` puts them through the stage's real
consumer, `course` is what that has come to. `aspects` is what can differ in a judgement and `difference` counts it
(both pure), `kept` remembers on disk what was compared, `form` is the report.

It reads in no consumer group: there is nothing to commit, to rebalance or to clean up, even after `kill -9`, and no
producer is ever made. Everything is bounded by where the topics ended at the start.
"""
