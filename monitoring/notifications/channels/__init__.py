"""One module for each kind of channel. Each implements `monitoring.notifications.base.Channel`; none imports another."""
