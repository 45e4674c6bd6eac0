/** How a table is divided into objects: by blocks, so that each can be read, written and compared by itself. */
import type { Blocks } from "../postgres/archive/rows";
import type { LeafTable } from "../postgres/archive/table";

/** 1 GiB of heap: some ten seconds of reading, after which other sessions get their turn with a lock on the table. */
export const DEFAULT_PART_BLOCKS = 131_072;

/** The last one has no end: rows that come meanwhile belong to it. Only heap tables are known to have blocks. */
export function partsOf({ blocks }: Pick<LeafTable, "blocks">, partBlocks = DEFAULT_PART_BLOCKS): Blocks[] {
  const parts = Math.max(1, Math.ceil(blocks / partBlocks));
  return Array.from({ length: parts }, (_, part) => {
    const from = part * partBlocks;
    return part === parts - 1 ? { from } : { from, to: from + partBlocks };
  });
}
