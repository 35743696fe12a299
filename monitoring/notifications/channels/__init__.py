"""One module for each kind of channel. They know nothing of each other, and keep `monitoring.notifications.base.Channel`."""
