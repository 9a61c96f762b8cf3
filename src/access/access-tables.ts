/** Tables of src/access; made in src/store/migrations. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by the feature
export interface AccessTables {}
