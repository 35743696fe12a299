"""Notifications: whom a state change is told, in which messages, and the threads that send them.

base       what a channel is, and what it is given
routing    which channels a state change is for           (pure)
certificates  which certificates are told of   (pure)
grouping   what is told now, and what waits               (pure)
messages   a group of state changes in words              (pure)
words      what is said of a channel that does not work   (pure)
outbox     what is to be sent, in the local file or still in memory
sender     one channel at work, in a thread of its own
notifier   all channels of a monitor
channels/  one module for each kind of channel; the registry is `monitoring.config.keys.notifications.CHANNELS`
"""
