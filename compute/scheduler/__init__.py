"""The scheduler: a request and what is known of the hosts become a ranked choice, which is then claimed."""
