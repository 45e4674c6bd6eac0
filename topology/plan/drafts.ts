/** One builder for each kind of step. */

import type { RowFormat } from "../archive";
import { type AttributeDifference, describeDifference } from "../attributes";
import { isInPlace, type Placing, schemaOf } from "../level";
import type {
  ActualLevel,
  ActualPartition,
  ArchivedCopy,
  PartitionBound,
  RelationName,
  Reorganization,
  UnfinishedReorganization,
} from "../model";
import type { ReorganizationMethod, Step, StepKind } from "../steps";
import type { Draft } from "./context";

/** Ids are unique in a plan because a relation takes part in one step of a kind at most. */
export function stepId(kind: StepKind, set: Placing, relation: RelationName): string {
  return `${kind}:${isInPlace(set, relation) ? relation.name : `${relation.schema}.${relation.name}`}`;
}

function renameReason(place: RelationName, table: RelationName): string {
  if (place.name !== table.name) return `known as ${place.name}, renamed or moved outside`;
  return `is in ${table.schema}, declared in ${place.schema}`;
}

/** The tables below that hold rows. */
function leavesOf({ children }: ActualLevel): RelationName[] {
  return children.flatMap(({ schema, name, level }) => (level === undefined ? [{ schema, name }] : leavesOf(level)));
}

type Size = { rows?: number; bytes?: number };

function effect(data: Step["effect"]["data"], { rows, bytes }: Size): Step["effect"] {
  const size = { ...(rows === undefined ? {} : { rows }), ...(bytes === undefined ? {} : { bytes }) };
  return { data, ...size };
}

/** Builds the steps of one parent. */
export class DraftBuilder {
  /** `under`: the parent, when it is a partition of the set itself. */
  constructor(
    private readonly set: Placing,
    private readonly under?: Step["under"],
  ) {}

  /** Where a partition of this name is to be. */
  private at(name: string): RelationName {
    return { schema: schemaOf(this.set, name), name };
  }

  private base(kind: StepKind, relation: RelationName, after: string[]) {
    const { schema, name } = relation;
    const under = this.under === undefined ? {} : { under: this.under };
    return { id: stepId(kind, this.set, relation), kind, partition: name, schema, ...under, after };
  }

  /** Finishes an interrupted DETACH CONCURRENTLY. Its rows have not been seen through the parent since. */
  finalize(child: ActualPartition): Draft {
    return {
      ...this.base("finalizeDetach", child, []),
      method: "finalize",
      oid: child.oid,
      reason: "an interrupted DETACH CONCURRENTLY left it half detached",
      effect: effect("none", child),
    };
  }

  /** Ends what a detach has begun: foreign keys of the table are in force, and are to be known to hold for all rows. */
  validateForeignKeys(table: ActualPartition, names: readonly string[]): Draft {
    return {
      ...this.base("validateForeignKeys", table, []),
      method: "validate",
      oid: table.oid,
      reason: `an interrupted detach has put back ${names.join(", ")} and not validated it`,
      effect: effect("none", table),
    };
  }

  /** A new, empty partition. How it is made is decided with the order. */
  create(
    name: string,
    bound: PartitionBound,
    declared: Pick<Step, "level" | "storage" | "comment" | "generated">,
    reason: string,
    after: string[],
  ): Draft {
    const base = this.base("create", this.at(name), after);
    return { ...base, method: "likeAttach", bound, ...declared, reason, effect: { data: "none" } };
  }

  /** An existing table becomes a partition; its rows appear. */
  attach(
    name: string,
    table: { oid: number } & Pick<ActualPartition, "restored"> & Size,
    bound: PartitionBound,
    reason: string,
    after: string[],
  ): Draft {
    return {
      ...this.base("attach", this.at(name), after),
      method: "attach",
      bound,
      oid: table.oid,
      ...(table.restored && { restored: true as const }),
      reason,
      effect: effect("shows", table),
    };
  }

  /** Rows of the sources go to the targets, which take their places. Named after the first target. */
  reorganize(
    reorganization: Reorganization,
    method: ReorganizationMethod,
    reason: string,
    size: Size,
    after: string[],
  ): Draft {
    const { sources, targets } = reorganization;
    return {
      ...this.base("reorganize", this.at((targets[0] ?? sources[0])?.name ?? ""), after),
      method,
      reorganization,
      reason,
      effect: effect("moves", size),
    };
  }

  /** The tables are exchanged; what is left of the old ones goes. */
  finish({ staging, sources, targets }: UnfinishedReorganization): Draft {
    const reason = "an interrupted run has put the new tables in place and left the old ones beside the parent";
    const draft = this.reorganize({ sources, targets }, "copyAndSwap", reason, {}, []);
    return { ...draft, id: `${draft.id}/${staging.name}`, effect: { data: "none" } };
  }

  /** Takes away what an interrupted copy has made; the rows are where they were. */
  abandon({ staging, sources, targets }: UnfinishedReorganization): Draft {
    return {
      ...this.base("abandonReorganization", staging, []),
      method: "abandon",
      oid: staging.oid,
      reorganization: { sources, targets },
      reason: "an interrupted run has begun to move rows in a way that is not declared any more",
      effect: effect("none", {}),
    };
  }

  /** Out of the parent, once the reorganization has made it. */
  detachMade(name: string, bound: PartitionBound, reason: string, madeBy: string): Draft {
    const base = this.base("detach", this.at(name), [madeBy]);
    return { ...base, method: "detachPlain", bound, madeBy, reason, effect: effect("hides", {}) };
  }

  /** A partition again, once it has been restored with what is below it. */
  attachMade(
    name: string,
    bound: PartitionBound,
    { id: madeBy, level }: Pick<Draft, "id" | "level">,
    { rows }: Pick<Size, "rows">,
  ): Draft {
    const base = this.base("attach", this.at(name), [madeBy]);
    return {
      ...base,
      method: "attach",
      bound,
      madeBy,
      restored: true,
      ...(level && { level }),
      reason: "restored from the archive",
      effect: effect("shows", { rows }),
    };
  }

  /** Given up, once the reorganization has made it and it is detached. */
  dropMade(name: string, reason: string, madeBy: string, tier: "archived" | "dropped"): Draft {
    const relation = this.at(name);
    const base = this.base("drop", relation, [stepId("detach", this.set, relation)]);
    const way = { archived: ["dropArchived", "archives"], dropped: ["dropTable", "deletes"] } as const;
    const [method, data] = way[tier];
    return { ...base, method, madeBy, reason, effect: effect(data, {}) };
  }

  /** Another bound for the same table: detached and attached in one transaction, so that no row is ever out of sight. */
  rebound(
    child: ActualPartition,
    bound: PartitionBound,
    reason: string,
    after: string[],
    formerChecks: string[] = [],
    proven = false,
  ): Draft {
    return {
      ...this.base("rebound", child, after),
      ...(formerChecks.length > 0 ? { formerChecks } : {}),
      ...(proven ? { proven } : {}),
      method: "detachAttach",
      bound,
      oid: child.oid,
      reason,
      effect: effect("none", child),
    };
  }

  /** To the declared name and schema; `place`: to another one. */
  rename(name: string, table: ActualPartition, after: string[], place = this.at(name)): Draft {
    return {
      ...this.base("rename", place, after),
      method: "rename",
      oid: table.oid,
      current: { schema: table.schema, name: table.name },
      reason: renameReason(place, table),
      effect: effect("none", table),
    };
  }

  /** Attributes of a partition become what its parent has, or what is declared. */
  adjust(name: string, table: { oid: number } & Size, differences: AttributeDifference[], after: string[]): Draft {
    return {
      ...this.base("adjust", this.at(name), after),
      method: "adjust",
      oid: table.oid,
      differences,
      reason: differences.map(describeDifference).join("; "),
      effect: effect("none", table),
    };
  }

  /** Out of the parent; the rows stay in the table. */
  detach(child: ActualPartition, reason: string): Draft {
    return {
      ...this.base("detach", child, []),
      method: "detachPlain",
      bound: child.bound,
      oid: child.oid,
      reason,
      effect: effect("hides", child),
    };
  }

  /** A copy of the rows goes into the archive; the table stays as it is. */
  export(table: ActualPartition, reason: string, after: string[], way: Pick<Step, "format" | "serverSide">): Draft {
    return {
      ...this.base("export", table, after),
      method: "export",
      ...(table.level && { tables: leavesOf(table.level) }),
      bound: table.bound,
      oid: table.oid,
      ...way,
      reason,
      effect: effect("copies", table),
    };
  }

  /** The copy of what was restored, once it is attached: its own, though no row of it is written again. */
  exportMade(
    { id, partition, schema, bound, level, madeBy }: Draft,
    reason: string,
    way: Pick<Step, "format" | "serverSide">,
  ): Draft {
    return {
      ...this.base("export", { schema, name: partition }, [id]),
      method: "export",
      ...(level && { level }),
      bound,
      madeBy,
      ...way,
      reason,
      effect: effect("copies", {}),
    };
  }

  /** The rows come back, into a table beside the parent. */
  restore(
    name: string,
    bound: PartitionBound,
    copy: ArchivedCopy,
    declared: Pick<Step, "level" | "storage" | "comment" | "generated">,
    after: string[],
  ): Draft {
    const { manifest, format, rows, bytes } = copy;
    const base = this.base("restore", this.at(name), after);
    return {
      ...base,
      method: "restore",
      bound,
      ...declared,
      manifest,
      format,
      reason: "declared; archived now",
      effect: effect("restores", { rows, bytes }),
    };
  }

  /** The table goes, after the proof that its rows are in the archive. */
  dropArchived(table: ActualPartition, reason: string, after: string[], format: RowFormat | undefined): Draft {
    const way = { method: "dropArchived", ...(format && { format }) } as const;
    return { ...this.drop(table, reason, after), ...way, effect: effect("archives", table) };
  }

  /** The table and its rows are given up. */
  drop(table: ActualPartition, reason: string, after: string[]): Draft {
    return {
      ...this.base("drop", table, after),
      method: "dropTable",
      oid: table.oid,
      reason,
      effect: effect("deletes", table),
    };
  }
}
