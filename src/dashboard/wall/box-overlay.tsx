import type { Severity } from '../../client/index.ts';
import type { Box } from './boxes.ts';
import type { PictureSize } from './jpeg-size.ts';

export interface SeenBox extends Box {
  severity: Severity;
}

export interface BoxOverlayProps {
  boxes: readonly SeenBox[];
  size: PictureSize;
  /** Height of the labels, as a part of the picture's width: small pictures need larger ones. */
  labelShare?: number;
}

/** Boxes over a picture that fits into its place as `object-fit: contain` has it. */
export function BoxOverlay({ boxes, size, labelShare = 0.035 }: BoxOverlayProps) {
  const { width, height } = size;
  const fontSize = width * labelShare;
  return (
    <svg class="boxes" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {boxes.map((box) => (
        <g key={`${box.x} ${box.y} ${box.width} ${box.height} ${box.label}`} data-severity={box.severity}>
          <rect x={box.x} y={box.y} width={box.width} height={box.height} vector-effect="non-scaling-stroke" />
          <text
            x={isAtRight(box, width) ? Math.min(width, box.x + box.width) : Math.max(0, box.x)}
            text-anchor={isAtRight(box, width) ? 'end' : 'start'}
            // Above the box, and inside of it where there is no room.
            y={box.y > fontSize * 1.4 ? box.y - fontSize * 0.4 : Math.max(0, box.y) + fontSize * 1.2}
            font-size={fontSize}
            stroke-width={fontSize * 0.25}
          >
            {box.label}
          </text>
        </g>
      ))}
    </svg>
  );
}

/** Its label would leave the picture. */
function isAtRight({ x, width }: Box, pictureWidth: number): boolean {
  return x + width / 2 > pictureWidth * 0.6;
}
