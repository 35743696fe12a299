"""Notifications: which channels get a state change, in which messages, and the threads that send them.

base          the interface of a channel
routing       the channels for each state change                    (pure)
certificates  the warnings about certificates that expire soon      (pure)
grouping      which messages to send now, and which later           (pure)
messages      the text of a message                                 (pure)
words         the conditions of channels that do not work           (pure)
simulation    how many messages a history would have taken          (pure)
outbox        the notifications to send, from the local file or from memory
sender        one channel and the thread that sends its messages
notifier      all channels of a monitor
channels/     one module for each kind of channel; the registry is `monitoring.config.keys.notifications.CHANNELS`
"""
