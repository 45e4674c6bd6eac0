/** Orders by region. A region that nobody has declared yet goes to the DEFAULT partition, so no order is ever refused. */
import type { PartitionedTableArgs } from "../../components";
import { guards, type Surroundings } from "../environment";

/** `sales.orders`. */
export function regionalOrders(environment: Surroundings) {
  return {
    ...guards(environment),
    schema: "sales",
    table: "orders",
    partitionBy: {
      list: { column: "region", values: { eu: ["de", "fr", "it"], us: ["us", "ca"], apac: ["jp", "kr", "au"] } },
    },
    defaultPartition: true,
    columns: [
      { name: "id", type: "bigint", identity: "always" },
      { name: "region", type: "text" },
      { name: "customer", type: "text", nullable: false },
      { name: "amount", type: "numeric(12,2)", nullable: false },
      { name: "placed_at", type: "timestamptz", nullable: false, default: "now()" },
    ],
    primaryKey: ["id", "region"],
    checks: [{ name: "orders_amount_positive", expression: "amount > 0" }],
    indexes: [{ name: "orders_customer_placed_at_idx", columns: ["customer", { column: "placed_at", order: "desc" }] }],
  } satisfies PartitionedTableArgs;
}
