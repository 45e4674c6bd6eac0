/** How a table is divided into objects: by blocks, so that each can be read, written and compared by itself. */
import type { Blocks } from "../postgres/archive/rows";
import type { LeafTable } from "../postgres/archive/table";

/** Some ten seconds of reading, after which other sessions get their turn with a lock on the table. */
const PART_BYTES = 2 ** 30;

/** So many blocks, a power of two, that they and their TOAST are a part: slow growth leaves most borders where they were. */
function partBlocksOf({ blocks, bytes }: Pick<LeafTable, "blocks" | "bytes">): number {
  const wanted = (PART_BYTES * Math.max(1, blocks)) / Math.max(1, bytes);
  return 2 ** Math.max(0, Math.floor(Math.log2(wanted)));
}

/** The last one has no end: rows that come meanwhile belong to it. Only heap tables are known to have blocks. */
export function partsOf(leaf: Pick<LeafTable, "blocks" | "bytes">, partBlocks = partBlocksOf(leaf)): Blocks[] {
  const { blocks } = leaf;
  const parts = Math.max(1, Math.ceil(blocks / partBlocks));
  return Array.from({ length: parts }, (_, part) => {
    const from = part * partBlocks;
    return part === parts - 1 ? { from } : { from, to: from + partBlocks };
  });
}
