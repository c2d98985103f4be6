-- The read model `entities`: who makes, sells and inspires figures. Folded; never written by hand.

-- Companies that make figures.
CREATE TABLE manufacturers (
    id         uuid        CONSTRAINT manufacturers_pkey PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        NOT NULL,
    sort_name  text        NOT NULL,
    created_by uuid,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT manufacturers_slug_key UNIQUE (slug)
);
CREATE INDEX manufacturers_sort_name_idx ON manufacturers (sort_name, id);
CREATE INDEX manufacturers_sort_name_trgm_idx ON manufacturers USING gin (sort_name gin_trgm_ops);
COMMENT ON COLUMN manufacturers.sort_name IS 'The name without regard to case and width: sorted and searched by.';
COMMENT ON COLUMN manufacturers.version IS 'Of the stream, when this last changed.';

-- Anime, games and manga.
CREATE TABLE series (
    id         uuid        CONSTRAINT series_pkey PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        NOT NULL,
    sort_name  text        NOT NULL,
    mal_id     bigint,
    created_by uuid,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT series_slug_key UNIQUE (slug)
);
CREATE INDEX series_sort_name_idx ON series (sort_name, id);
CREATE INDEX series_sort_name_trgm_idx ON series USING gin (sort_name gin_trgm_ops);
CREATE INDEX series_mal_id_idx ON series (mal_id) WHERE mal_id IS NOT NULL;
COMMENT ON COLUMN series.sort_name IS 'The name without regard to case and width: sorted and searched by.';
COMMENT ON COLUMN series.version IS 'Of the stream, when this last changed.';

-- Characters.
CREATE TABLE characters (
    id         uuid        CONSTRAINT characters_pkey PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        NOT NULL,
    sort_name  text        NOT NULL,
    created_by uuid,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT characters_slug_key UNIQUE (slug)
);
CREATE INDEX characters_sort_name_idx ON characters (sort_name, id);
CREATE INDEX characters_sort_name_trgm_idx ON characters USING gin (sort_name gin_trgm_ops);
COMMENT ON COLUMN characters.sort_name IS 'The name without regard to case and width: sorted and searched by.';
COMMENT ON COLUMN characters.version IS 'Of the stream, when this last changed.';

-- Sculptors.
CREATE TABLE sculptors (
    id         uuid        CONSTRAINT sculptors_pkey PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        NOT NULL,
    sort_name  text        NOT NULL,
    created_by uuid,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT sculptors_slug_key UNIQUE (slug)
);
CREATE INDEX sculptors_sort_name_idx ON sculptors (sort_name, id);
CREATE INDEX sculptors_sort_name_trgm_idx ON sculptors USING gin (sort_name gin_trgm_ops);
COMMENT ON COLUMN sculptors.sort_name IS 'The name without regard to case and width: sorted and searched by.';
COMMENT ON COLUMN sculptors.version IS 'Of the stream, when this last changed.';

-- Shops.
CREATE TABLE stores (
    id         uuid        CONSTRAINT stores_pkey PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        NOT NULL,
    sort_name  text        NOT NULL,
    created_by uuid,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT stores_slug_key UNIQUE (slug)
);
CREATE INDEX stores_sort_name_idx ON stores (sort_name, id);
CREATE INDEX stores_sort_name_trgm_idx ON stores USING gin (sort_name gin_trgm_ops);
COMMENT ON COLUMN stores.sort_name IS 'The name without regard to case and width: sorted and searched by.';
COMMENT ON COLUMN stores.version IS 'Of the stream, when this last changed.';

-- Where old slugs and the ids of merged entities lead now. `namespace` is the kind for slugs, 'id' for ids.
CREATE TABLE entity_aliases (
    namespace text NOT NULL,
    alias     text NOT NULL,
    entity_id uuid NOT NULL,
    CONSTRAINT entity_aliases_pkey PRIMARY KEY (namespace, alias)
);
CREATE INDEX entity_aliases_entity_id_idx ON entity_aliases (entity_id);
