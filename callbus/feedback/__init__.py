"""What counsellors and supervisors say was right, and what the example corpus learns of it.

`labels` knows what may be said, `places` finds the turns that are meant, `standing` lets the newest word on each matter
count, `anonymous` takes all that could tell of a person out of what was said, `vocabulary` knows the words that may
stay, `examples` makes entries of the corpus from it (all pure); `folder` writes them, `reading` fetches what they are
made of from Kafka.
"""
