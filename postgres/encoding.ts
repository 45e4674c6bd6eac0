/**
 * Encoding of a text of rows, by PostgreSQL's name: that of the database that it was read from. In any other one there would be
 * characters that have no place, two that become one, and bytes that are no character at all.
 */
export type TextEncoding = string;

/** That of our sessions. */
export const UTF8: TextEncoding = "UTF8";
