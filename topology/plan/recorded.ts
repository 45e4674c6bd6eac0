/** What outputs record of the differences of declared partitions, so that a refresh shows what was changed by hand. */
import { describeByAttribute } from "../attributes";
import { isInPlace, setBelow } from "../level";
import type { ActualLevel, ActualPartition, ActualSet, DesiredSet } from "../model";
import { isAttached } from "../tiers";
import { treat } from "./adjust";

/** Adds it to the declared live partitions of every level, and to detached ones that are not finished. */
export function withRecordedDifferences(actual: ActualSet, desired: DesiredSet): ActualSet {
  return { ...actual, ...inLevel(actual, desired) };
}

type Partitions = Pick<ActualLevel, "children" | "detached">;

function inLevel({ children, detached }: Partitions, desired: DesiredSet): Partitions {
  return {
    detached: detached.map(withUnfinished),
    children: children.map((child): ActualPartition => {
      const declared = Object.hasOwn(desired.partitions, child.name) ? desired.partitions[child.name] : undefined;
      if (!isInPlace(desired, child) || child.state !== "live" || !isAttached(declared?.tier)) return child;
      const inside = setBelow(desired, child.name);
      const level = inside && child.level && { ...child.level, ...inLevel(child.level, inside) };
      return { ...child, ...(level && { level }), ...recordedOf(child, desired) };
    }),
  };
}

function withUnfinished(table: ActualPartition): ActualPartition {
  const { unvalidatedForeignKeys: names } = table;
  if (names === undefined) return table;
  return { ...table, recorded: { differs: { foreignKeys: `${names.join(", ")}: not validated` } } };
}

function recordedOf(child: ActualPartition, desired: DesiredSet): Pick<ActualPartition, "recorded"> {
  const { repair, refuse, impossible, report } = treat(desired, child.name, child);
  const differs = {
    ...describeByAttribute([...repair, ...refuse, ...impossible]),
    ...(child.guarded && { boundCheck: "an interrupted run has left its CHECK" }),
  };
  const noticed = describeByAttribute(report);
  const recorded = {
    ...(Object.keys(differs).length > 0 ? { differs } : {}),
    ...(Object.keys(noticed).length > 0 ? { noticed } : {}),
  };
  return Object.keys(recorded).length > 0 ? { recorded } : {};
}
