-- What was looked up elsewhere, and the euro's rates day by day.
-- Ordinary rows, not folded from the log: a cost freezes its rate in its event.

CREATE TABLE IF NOT EXISTS external_lookups (
    provider   text        NOT NULL,
    lookup_key text        NOT NULL,
    payload    jsonb       NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, lookup_key)
);

COMMENT ON TABLE external_lookups IS 'The last answer of a source outside; how long it holds is its reader''s to say.';

CREATE TABLE IF NOT EXISTS fx_days (
    day       date        PRIMARY KEY CHECK (day >= '1999-01-04'),
    source    text        NOT NULL,
    loaded_at timestamptz NOT NULL
);

COMMENT ON TABLE fx_days IS 'Days whose euro reference rates are known.';
COMMENT ON COLUMN fx_days.source IS 'ecb, frankfurter or file.';

CREATE TABLE IF NOT EXISTS fx_rates (
    day      date    NOT NULL REFERENCES fx_days (day) ON DELETE CASCADE,
    currency char(3) NOT NULL,
    per_euro numeric NOT NULL CHECK (per_euro > 0),
    PRIMARY KEY (day, currency)
);

COMMENT ON COLUMN fx_rates.per_euro IS 'Units of the currency for one euro on that day.';

CREATE TABLE IF NOT EXISTS fx_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint  NOT NULL
);
INSERT INTO fx_version (version) VALUES (0) ON CONFLICT DO NOTHING;

COMMENT ON TABLE fx_version IS 'Raised whenever rates change, so that processes that keep them in memory notice.';
