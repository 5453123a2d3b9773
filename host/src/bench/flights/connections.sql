-- Which departures the passengers of a flight that came at least half an hour late could still take: those
-- that left the same airport 30 to 60 minutes after it had landed. Both times are the real ones, delays
-- included; how long a flight takes is guessed from its distance: 30 minutes, and 8 miles a minute.
--
-- Both tables are the one file, whose rows arrive in the order in which flights left. So departures are in
-- order; landings are out of it by at most the longest flight less the shortest, which 11 hours cover.
CREATE TABLE departures (
  `date` TIMESTAMP(3),
  delay INT,
  origin STRING,
  left_at AS TIMESTAMPADD(MINUTE, delay, `date`),
  WATERMARK FOR left_at AS left_at
) WITH ('connector' = 'filesystem', 'path' = 'flights.parquet', 'format' = 'parquet');

CREATE TABLE landings (
  `date` TIMESTAMP(3),
  delay INT,
  distance INT,
  destination STRING,
  landed_at AS TIMESTAMPADD(MINUTE, delay + 30 + distance / 8, `date`),
  WATERMARK FOR landed_at AS landed_at - INTERVAL '11' HOUR
) WITH ('connector' = 'filesystem', 'path' = 'flights.parquet', 'format' = 'parquet');

SELECT l.destination AS airport, l.landed_at, l.delay AS landed_late, d.left_at, d.delay AS left_late
FROM landings AS l JOIN departures AS d ON l.destination = d.origin
  AND d.left_at BETWEEN l.landed_at + INTERVAL '30' MINUTE AND l.landed_at + INTERVAL '60' MINUTE
WHERE l.delay >= 30;
