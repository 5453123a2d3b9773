-- How many flights left each airport in each hour of the timetable, and how late they were on average.
--
-- A flight is known once it is over: its record arrives `delay` minutes after the time in the timetable.
-- So the event time is the timetable's, the order of arrival is that of the delayed times, and an hour is
-- closed once a flight of four hours after its end is known. Whatever is known later still is late.
CREATE TABLE flights (
  `date` TIMESTAMP(3),
  delay INT,
  origin STRING,
  WATERMARK FOR `date` AS `date` - INTERVAL '4' HOUR
) WITH ('connector' = 'filesystem', 'path' = 'flights.parquet', 'format' = 'parquet');

SELECT origin, window_start, COUNT(*) AS flights, AVG(CAST(delay AS DOUBLE)) AS mean_delay
FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(`date`), INTERVAL '1' HOUR))
GROUP BY origin, window_start, window_end;
