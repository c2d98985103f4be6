-- The read model `figures`: the shared catalogue. Folded; never written by hand.

CREATE TABLE figures (
    id                     uuid        CONSTRAINT figures_pkey PRIMARY KEY,
    slug                   text        NOT NULL,
    name                   text        NOT NULL,
    figure_type            text        NOT NULL,
    manufacturer_id        uuid,
    sculptor_id            uuid,
    scale                  text,
    height_mm              integer,
    materials              text,
    version_name           text,
    edition                text,
    official_image_url     text,
    description            text,
    release_date           date,
    release_date_precision text,
    msrp_amount            numeric(12, 2),
    msrp_currency          char(3),
    jan                    text,
    gtin                   text,
    mfc_id                 bigint,
    is_nsfw                boolean     NOT NULL,
    created_by             uuid,
    sort_name              text        NOT NULL,
    search_text            text        NOT NULL,
    version                bigint      NOT NULL,
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL,
    CONSTRAINT figures_slug_key UNIQUE (slug)
);

CREATE INDEX figures_manufacturer_id_idx ON figures (manufacturer_id);
CREATE INDEX figures_sculptor_id_idx ON figures (sculptor_id);
CREATE INDEX figures_sort_name_idx ON figures (sort_name, id);
CREATE INDEX figures_created_at_idx ON figures (created_at, id);
CREATE INDEX figures_release_date_idx ON figures (coalesce(release_date, '-infinity'), id);
CREATE INDEX figures_gtin_idx ON figures (gtin) WHERE gtin IS NOT NULL;
CREATE INDEX figures_mfc_id_idx ON figures (mfc_id) WHERE mfc_id IS NOT NULL;
CREATE INDEX figures_search_text_idx ON figures USING gin (search_text gin_trgm_ops);

COMMENT ON COLUMN figures.release_date IS 'First day of the first announced release; its precision says how much is known.';
COMMENT ON COLUMN figures.jan IS 'The barcode as printed.';
COMMENT ON COLUMN figures.gtin IS 'The barcode with 14 digits, by which it is found.';
COMMENT ON COLUMN figures.sort_name IS 'The name without regard to case and width.';
COMMENT ON COLUMN figures.search_text IS 'Name, version, maker, series, characters, sculptor and barcode, without regard to case and width.';
COMMENT ON COLUMN figures.version IS 'Of the stream, when the figure last changed.';

CREATE TABLE figure_series (
    figure_id uuid    NOT NULL,
    series_id uuid    NOT NULL,
    position  integer NOT NULL,
    CONSTRAINT figure_series_pkey PRIMARY KEY (figure_id, series_id)
);
CREATE INDEX figure_series_series_id_idx ON figure_series (series_id);

CREATE TABLE figure_characters (
    figure_id    uuid    NOT NULL,
    character_id uuid    NOT NULL,
    position     integer NOT NULL,
    CONSTRAINT figure_characters_pkey PRIMARY KEY (figure_id, character_id)
);
CREATE INDEX figure_characters_character_id_idx ON figure_characters (character_id);

-- Every announced release, re-runs too, oldest first.
CREATE TABLE figure_releases (
    figure_id              uuid    NOT NULL,
    position               integer NOT NULL,
    release_date           date    NOT NULL,
    release_date_precision text    NOT NULL,
    CONSTRAINT figure_releases_pkey PRIMARY KEY (figure_id, position)
);

-- Where a figure is sold: a store, and the path or address of its page there.
CREATE TABLE figure_links (
    figure_id uuid    NOT NULL,
    position  integer NOT NULL,
    store_id  uuid    NOT NULL,
    path      text    NOT NULL,
    CONSTRAINT figure_links_pkey PRIMARY KEY (figure_id, position)
);
CREATE INDEX figure_links_store_id_idx ON figure_links (store_id);

-- Where the ids, slugs and codes of merged figures lead now. `namespace` is id, slug, gtin or mfc.
CREATE TABLE figure_aliases (
    namespace text NOT NULL,
    alias     text NOT NULL,
    figure_id uuid NOT NULL,
    CONSTRAINT figure_aliases_pkey PRIMARY KEY (namespace, alias)
);
CREATE INDEX figure_aliases_figure_id_idx ON figure_aliases (figure_id);

-- What the search text is made of, and where merged entities went.
CREATE TABLE figure_entity_names (
    id          uuid CONSTRAINT figure_entity_names_pkey PRIMARY KEY,
    kind        text NOT NULL,
    name        text NOT NULL,
    merged_into uuid
);
CREATE INDEX figure_entity_names_merged_into_idx ON figure_entity_names (merged_into);
