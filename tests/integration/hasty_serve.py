"""The service with webhooks that are tried again soon, so that a test of kills need not wait for minutes."""

from crdt_sync.adapters import receivers
from crdt_sync.cli.main import main
from crdt_sync.domain import webhook
from crdt_sync.service import couriers

if __name__ == "__main__":
    webhook.RETRY_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
    webhook._AWAY_MS_MIN, webhook._AWAY_MS_MAX = 50, 400
    receivers.ATTEMPT_S = 0.5
    couriers.LOOK_S, couriers.LEASE_MS, couriers.RENEW_MS = 0.1, 600, 200
    main()
