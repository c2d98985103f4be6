-- When market prices were last looked at, and the runs of the jobs that the clock starts.

-- That nothing has moved is no event; here is when that was last seen. A row may be lost without harm.
CREATE TABLE IF NOT EXISTS price_checks (
    figure_id    uuid        PRIMARY KEY,
    checked_at   timestamptz NOT NULL,
    confirmed_at timestamptz,
    outcome      text        NOT NULL
);

COMMENT ON COLUMN price_checks.checked_at IS 'When the price sweep last asked for this figure; those not asked for longest come first.';
COMMENT ON COLUMN price_checks.confirmed_at IS 'When the price that stands was last seen; empty when it never was.';
COMMENT ON COLUMN price_checks.outcome IS 'moved, confirmed or none, or what went wrong.';

CREATE TABLE IF NOT EXISTS stock_checks (
    figure_id    uuid        NOT NULL,
    store_id     uuid        NOT NULL,
    confirmed_at timestamptz NOT NULL,
    CONSTRAINT stock_checks_pkey PRIMARY KEY (figure_id, store_id)
);

COMMENT ON COLUMN stock_checks.confirmed_at IS 'When the store last said whether it has the figure.';

CREATE TABLE IF NOT EXISTS server_job_runs (
    id                  uuid        PRIMARY KEY,
    job_name            text        NOT NULL,
    triggered_by        text        NOT NULL,
    requested_by        uuid        REFERENCES users (id) ON DELETE SET NULL,
    scheduled_for       timestamptz,
    state               text        NOT NULL,
    result              jsonb,
    error_message       text,
    started_at          timestamptz NOT NULL DEFAULT now(),
    finished_at         timestamptz,
    cancel_requested_at timestamptz,
    CONSTRAINT server_job_runs_trigger_known CHECK (triggered_by IN ('schedule', 'admin', 'boot')),
    CONSTRAINT server_job_runs_state_known CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT server_job_runs_job_name_scheduled_for_key UNIQUE (job_name, scheduled_for)
);

COMMENT ON COLUMN server_job_runs.requested_by IS 'The admin who started it; empty for the clock and for people erased since.';
COMMENT ON COLUMN server_job_runs.scheduled_for IS 'The minute of the schedule that it is for, UTC; one process gets it.';
COMMENT ON COLUMN server_job_runs.result IS 'What it came to, also as far as it got when it failed.';

CREATE INDEX IF NOT EXISTS server_job_runs_job_name_started_at_idx ON server_job_runs (job_name, started_at DESC, id);
CREATE UNIQUE INDEX IF NOT EXISTS server_job_runs_running_key ON server_job_runs (job_name) WHERE state = 'running';
