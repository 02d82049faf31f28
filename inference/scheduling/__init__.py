"""The scheduling policy: which request starts next (docs/scheduling.md). Pure; time is an argument.

scheduler           what the dispatcher calls
policy              the constants of all rules, from the settings
classify            quick, normal or heavy
fair_queue          the order: deadlines between classes, fairness between users
class_queue         the waiting requests of one class, by user
request_queue       the port of the order; FIFO and strict priority for comparison
token_counters      virtual token counters (VTC)
waiting, running    the requests with their counts; slots and KV tokens
prefix_cache        what the engine's prefix cache probably holds
wait_estimator      how long each request will wait
measurements        output lengths, tokens per second
circuit_breaker     refuses at once after repeated engine failures
"""
