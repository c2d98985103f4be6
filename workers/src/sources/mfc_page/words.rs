//! What the site's languages call the fields of an item and the roles of whoever made it.

/// The labels that are read, as they begin, in English.
const LABELS: [&str; 15] = [
    "category",
    "classification",
    "origin",
    "character",
    "compan",
    "artist",
    "version",
    "release",
    "scale",
    "dimension",
    "material",
    "jan",
    "barcode",
    "price",
    "rating",
];

/// The same in French, German, Spanish, Italian, Portuguese and Japanese, where they begin otherwise.
const ELSEWHERE: [(&str, &str); 66] = [
    ("catégorie", "category"),
    ("kategorie", "category"),
    ("categoría", "category"),
    ("categoria", "category"),
    ("カテゴリ", "category"),
    ("klassifi", "classification"),
    ("clasificación", "classification"),
    ("classificaz", "classification"),
    ("分類", "classification"),
    ("herkunft", "origin"),
    ("origen", "origin"),
    ("origem", "origin"),
    ("原作", "origin"),
    ("作品", "origin"),
    ("personnage", "character"),
    ("charakter", "character"),
    ("personaje", "character"),
    ("personagg", "character"),
    ("personagen", "character"),
    ("キャラクター", "character"),
    ("société", "compan"),
    ("entreprise", "compan"),
    ("firma", "compan"),
    ("firmen", "compan"),
    ("unternehmen", "compan"),
    ("empresa", "compan"),
    ("compañía", "compan"),
    ("aziend", "compan"),
    ("会社", "compan"),
    ("メーカー", "compan"),
    ("künstler", "artist"),
    ("アーティスト", "artist"),
    ("作家", "artist"),
    ("versión", "version"),
    ("versione", "version"),
    ("versão", "version"),
    ("バージョン", "version"),
    ("sortie", "release"),
    ("date de sortie", "release"),
    ("veröffentlichung", "release"),
    ("erscheinung", "release"),
    ("lanzamiento", "release"),
    ("uscit", "release"),
    ("lançamento", "release"),
    ("発売", "release"),
    ("échelle", "scale"),
    ("maßstab", "scale"),
    ("escala", "scale"),
    ("scala", "scale"),
    ("スケール", "scale"),
    ("maße", "dimension"),
    ("dimens", "dimension"),
    ("サイズ", "dimension"),
    ("寸法", "dimension"),
    ("matériau", "material"),
    ("matière", "material"),
    ("素材", "material"),
    ("材質", "material"),
    ("prix", "price"),
    ("preis", "price"),
    ("precio", "price"),
    ("prezzo", "price"),
    ("preço", "price"),
    ("価格", "price"),
    ("altersfreigabe", "rating"),
    ("年齢", "rating"),
];

/// What makes a figure's maker.
pub(super) const MANUFACTURER: &[&str] =
    &["manufacturer", "fabricant", "hersteller", "produttore", "メーカー", "製造"];

/// What makes its sculptor.
pub(super) const SCULPTOR: &[&str] =
    &["sculptor", "sculpteur", "bildhauer", "modelleur", "escultor", "scultore", "原型"];

/// What stands before a role: `As Manufacturer`.
pub(super) const INTRODUCE_ROLES: &[&str] = &["as ", "en tant que", "als ", "como ", "come ", "として"];

/// Which label a text is, by its name in English, and whether it is in another language.
pub(super) fn label_of(said: &str) -> Option<(&'static str, bool)> {
    let english = LABELS.iter().find(|label| said.starts_with(**label)).map(|label| (*label, false));
    let foreign =
        || ELSEWHERE.iter().find(|(called, _)| said.starts_with(called)).map(|(_, label)| (*label, true));
    english.or_else(foreign)
}
