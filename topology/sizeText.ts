/** Rows and bytes for people. */

export function sizeText(rows: number | undefined, bytes: number | undefined): string {
  const parts = [
    rows === undefined || rows < 0 ? undefined : `≈${Math.round(rows).toLocaleString("en-US")} rows`,
    bytes === undefined ? undefined : bytesText(bytes),
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}

export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
